#!/usr/bin/env bash
# Checks a deletion receipt with openssl, jq and sha256sum, and no code of this
# project: the signature, the hash of the model, and the proof that a photo was in the
# request.
#
#   stranger.sh PUB.pem RECEIPT MODEL [PROOF PHOTO]
#
# What is hashed how is said in the documentation of package dlfd/receipt, DSSE in
# https://github.com/secure-systems-lab/dsse/blob/master/protocol.md, and the way up the
# tree in RFC 9162, section 2.1.3.2.
set -euo pipefail
if [ $# != 3 ] && [ $# != 5 ]; then
	echo "usage: stranger.sh PUB.pem RECEIPT MODEL [PROOF PHOTO]" >&2
	exit 2
fi
pub=$1 receipt=$2 model=$3
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
wrong() { echo "wrong: $*" >&2; exit 1; }
sha() { sha256sum | cut -d' ' -f1; }
bytes() { printf "$(sed 's/../\\x&/g' <<<"$1")"; } # hexadecimal digits as bytes

# The signature is over the pre-authentication encoding of the statement.
jq -j .payload "$receipt" | base64 -d >"$tmp/statement"
kind=$(jq -r .payloadType "$receipt")
{ printf 'DSSEv1 %d %s %d ' "${#kind}" "$kind" "$(wc -c <"$tmp/statement")"; cat "$tmp/statement"; } >"$tmp/signed"
[ "$(jq '.signatures | length' "$receipt")" -gt 0 ] || wrong "the receipt is not signed"
jq -j '.signatures[0].sig' "$receipt" | base64 -d >"$tmp/signature"
openssl dgst -sha256 -verify "$pub" -signature "$tmp/signature" "$tmp/signed" >/dev/null 2>&1 || wrong "signature"
echo "right: signature"

want=$(jq -r '.subject[0].digest.sha256' "$tmp/statement")
[ "$(sha <"$model")" = "$want" ] || wrong "the model does not have SHA-256 $want"
echo "right: model"
jq -r '.subject[1:][] | "not checked: \(.name), SHA-256 \(.digest.sha256)"' "$tmp/statement"

if [ $# = 5 ]; then
	proof=$4 photo=$5
	set=$(jq -r .set "$proof")
	index=$(jq .index "$proof")
	root=$(jq -r --arg s "$set" '.predicate.data[$s].root' "$tmp/statement")
	last=$(($(jq --arg s "$set" '.predicate.data[$s].count' "$tmp/statement") - 1))
	node=$(bytes "00$(printf %016x "$(jq .label "$proof")")$(sha <"$photo")" |
		openssl dgst -sha256 -mac HMAC -macopt "hexkey:$(jq -r .key "$proof")" | sed 's/.* //')
	for beside in $(jq -r '.path[]?' "$proof"); do
		[ "$last" -gt 0 ] || wrong "the proof is too long"
		if ((index % 2 == 1 || index == last)); then
			node=$(bytes "01$beside$node" | sha)
			while ((index % 2 == 0 && index > 0)); do ((index /= 2, last /= 2)) || true; done
		else
			node=$(bytes "01$node$beside" | sha)
		fi
		((index /= 2, last /= 2)) || true
	done
	[ "$last" = 0 ] && [ "$node" = "$root" ] || wrong "the photo does not lead to root $root of $set"
	echo "right: the photo is in $set"
fi
jq -r '.predicate | "request \(.request.id): \(.request.outcome); verdict: \(.audit.verdict)"' "$tmp/statement"
