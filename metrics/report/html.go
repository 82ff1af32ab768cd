package report

import (
	"bytes"
	_ "embed" // style sheet and page
	"fmt"
	"html/template"
	"io"

	"github.com/dlfd-go/unlearn/metrics"
)

// MaxSize bounds the bytes of the HTML page.
const MaxSize = 1_000_000

// maxHalved bounds how often a page that is too large is made again with half as much.
const maxHalved = 4

var (
	//go:embed style.css
	styleSheet string
	//go:embed page.html
	pageText string

	pageTemplate = template.Must(template.New("page").Parse(pageText))
)

// page is what the template shows.
type page struct {
	Title                       string
	Style                       template.CSS
	Class, Mark, Word, Headline string
	Reasons                     []string
	Facts                       []Fact
	Sections                    []section
	NotJudged                   []Omission
}

// section is one part of the page; empty fields are left out.
type section struct {
	ID, Title, How string
	Methods        *methods
	Rows           [][]card
	Keys           []key
	Folded         []folded
	Notes          []string

	BarsName             string
	WithClass, WithCount bool
	Bars                 []bar
}

type methods struct {
	Head  []optional
	Lines []line
}

// folded is shown when the reader opens it.
type folded struct {
	Title string
	Open  bool
	Cards []card
	Grid  *grid
}

// grid is a table whose rows begin with a name.
type grid struct {
	Caption string
	Head    []string
	Rows    []gridRow
	Left    string // what was left out
}

type gridRow struct {
	Name  string
	Words []string
	Cells []cell
}

// bar is a person with a picture of the score.
type bar struct {
	Name, Of string
	Count    string
	Score    cell
	Bar      template.HTML
}

// WriteHTML writes the page. Equal reports give equal bytes.
//
// A number that is not finite gives an error that wraps metrics.ErrNotFinite and
// names its place, lists whose lengths differ metrics.ErrShape, values out of their
// range metrics.ErrRange, and classes without a name metrics.ErrLabel. Where a page would
// exceed MaxSize, it shows fewer points, panels and rows, and says so; one that exceeds
// it even then, having hundreds of methods, gives metrics.ErrRange.
func (r *Report) WriteHTML(w io.Writer) error {
	if err := r.check(); err != nil {
		return err
	}
	var b bytes.Buffer
	for halved := 0; halved == 0 || b.Len() > MaxSize; halved++ {
		if halved > maxHalved {
			return fmt.Errorf("report: %w: the page has %d bytes, want at most %d", metrics.ErrRange, b.Len(), MaxSize)
		}
		b.Reset()
		if err := pageTemplate.Execute(&b, r.page(halved)); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// marks are the class, the sign and the words of each finding.
var marks = map[Finding][3]string{
	Within:         {"within", "✓", "Within the band of retrained models"},
	UnderUnlearned: {"under", "▲", "Under-unlearned"},
	Hidden:         {"hidden", "◆", "Hidden, not erased"},
	OverUnlearned:  {"over", "▼", "Over-unlearned"},
	CannotTell:     {"cannot", "?", "Cannot tell"},
	Outside:        {"cannot", "≈", "Near retraining, outside the band"},
}

func (r *Report) page(halved int) *page {
	m := marks[r.Verdict.Finding]
	p := &page{Title: brief(r.Title, 2*maxName), Style: template.CSS(styleSheet), Class: m[0], Mark: m[1], Word: m[2], Headline: brief(r.Verdict.Headline, maxSentence)}
	if p.Title == "" {
		p.Title = "Judging a model that had to forget"
	}
	if p.Headline == "" {
		p.Headline = "No verdict was given."
	}
	for _, s := range r.Verdict.Reasons {
		p.Reasons = append(p.Reasons, brief(s, maxSentence))
	}
	for _, f := range r.Facts {
		p.Facts = append(p.Facts, Fact{name(f.Name), brief(f.Value, maxSentence)})
	}
	for _, o := range r.NotJudged {
		p.NotJudged = append(p.NotJudged, Omission{brief(o.What, 2*maxName), brief(o.Why, maxSentence)})
	}
	s := r.styles(halved)
	for _, part := range []func(*styles) (section, bool){r.tableSection, r.lossSection, r.attackSection, r.resurgenceSection,
		r.relearningSection, r.classSection, r.mapSection, r.depthSection, r.personSection, r.frontSection, r.traceSection} {
		if sec, ok := part(s); ok {
			p.Sections = append(p.Sections, sec)
		}
	}
	return p
}
