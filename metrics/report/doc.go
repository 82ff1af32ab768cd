// Package report writes what is known about models that had to forget as one HTML
// page, as JSON and as CSV.
//
// The page opens from disk: it loads nothing, runs no script, and stays under
// MaxSize. Figures are SVG inside the page, in colors that color-blind readers can
// tell apart and with markers and dashes that repeat what the colors say; light and
// dark follow the reader's setting.
//
// A Report is plain data. Sections are optional, every figure of the page stands in
// the JSON too, and equal reports give equal bytes. Texts may hold anything, as names
// of classes and persons come from users' files; they are escaped, and cut where they
// are very long. A number that is not finite is an error, and a Value whose N is zero
// is shown as –.
package report
