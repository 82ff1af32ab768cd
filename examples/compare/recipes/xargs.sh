#!/usr/bin/env bash
# A comparison as TASKS processes at a time on this machine, stage by stage. A stage in
# which a process failed or was killed is repeated, five times at most; what is finished
# stays.
#
#   COMPARE=/path/to/compare TASKS=8 ./xargs.sh -task drawn-faces -out out
set -euo pipefail
compare=${COMPARE:-compare}
n=${TASKS:-8}

for stage in 1 2 3 4; do
	tries=0
	until seq 0 $((n - 1)) | xargs -P "$n" -I '{}' "$compare" "$@" -stage "$stage" -shard '{}'/"$n"; do
		tries=$((tries + 1))
		if [ "$tries" = 5 ]; then
			echo "$0: stage $stage failed $tries times" >&2
			exit 1
		fi
	done
done
exec "$compare" "$@" # all is done: the tables
