// Package baseline has the methods of machine unlearning that DLFD is compared
// with, each a dlfd.Unlearner, by their original definitions.
package baseline
