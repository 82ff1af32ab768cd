// Package receipt writes and checks deletion receipts: what a model had to forget,
// what was done, and what an attacker sees of it now, in a form that somebody who
// was not there can check. A receipt is evidence, not a certificate of compliance,
// and says so.
//
// A receipt is an in-toto Statement v1 with the predicate type PredicateType in a
// DSSE envelope (https://github.com/in-toto/attestation,
// https://github.com/secure-systems-lab/dsse), signed with an ECDSA P-256 key or
// unsigned. Cosign, and policy engines that read in-toto statements, read it. A
// second statement, a test result (TestPredicateType), lets gates act on the
// verdict, and Page says the same in plain words.
//
// # Privacy
//
// Nothing in a receipt names a person. Data are named by counts and by the root of
// a Merkle tree over the content of the samples; every leaf has a key of its own,
// derived from a random Key for the request, so that without a key no photo, file
// name or identity can be confirmed. The Secret of a request has the key. Who has it
// can prove that a photo was in the request (Secret.Prove) and tell whether its
// samples came back (Secret.CheckReturned). Give it to the one who asked, or a Proof
// for each photo where several persons asked at once, and destroy it when no later
// request needs it.
//
// # Merkle trees
//
// With K the key, S the name of the set, L the label of sample i as a big-endian
// int64, and C the SHA-256 of its content:
//
//	k(i)    = HMAC-SHA-256(K, "unlearn receipt leaf" 00 S 00 i), i a big-endian uint64
//	leaf(i) = HMAC-SHA-256(k(i), 00 L C)
//	node    = SHA-256(01 left right)
//
// 00 and 01 are bytes. A tree of n > 1 leaves has the first 2^m of them on its left,
// 2^m being the largest power of two below n, as in RFC 6962, section 2.1: no node is
// doubled where n is odd.
//
// # Requests one after another
//
// A Ledger lists the requests that a model has gone through, and refuses what had to go
// when it comes back (Ledger.CheckReturned). Its hashes are keyed too, with a key of its
// own; its lines are chained by HMACs. dlfd.Drift judges earlier forget sets on the model
// as it is now, and a receipt repeats that (Earlier).
//
// # Verification
//
// Open checks the signature, Receipt.CheckOptions what the method ran with,
// Receipt.CheckOutcome that the verdict bears the outcome out,
// Statement.CheckModel the files of the model, CheckChain a row of receipts,
// Receipt.CheckData the data, Proof.Check one photo, and Audit.Compare figures that
// were computed anew. Every failure has an error of its own. examples/receipt is a
// program for all of them, with a script that needs openssl, jq and sha256sum alone.
package receipt
