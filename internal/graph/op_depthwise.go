package graph

import "github.com/dlfd-go/unlearn/internal/kernel"

// A convolution whose groups have one input channel works plane by plane:
// output channel m reads input channel m/mg alone.

func (p *convPlan) isDepthwise() bool { return p.cg == 1 && p.group > 1 }

// plane returns plane i of x, whose planes have n elements.
func plane(x []float32, i, n int) []float32 { return x[i*n : (i+1)*n] }

func (p *convPlan) forwardDepthwise(c *Call) {
	in, out := p.Height*p.Width, p.oh*p.ow
	for i := range c.N * p.m {
		if c.Stop.Now() {
			return
		}
		s, m := i/p.m, i%p.m
		y := plane(c.Out, i, out)
		p.depth.Forward(y, plane(c.In[0], s*p.Channels+m/p.mg, in), plane(c.In[1], m, p.k), c.Scratch)
		if len(c.In) == 3 {
			kernel.ScaleShift(y, y, 1, c.In[2][m])
		}
	}
}

func (p *convPlan) vjpDepthwise(c *Call) {
	in, out := p.Height*p.Width, p.oh*p.ow
	for i := range c.N * p.m {
		if c.Stop.Now() {
			return
		}
		s, m := i/p.m, i%p.m
		ch := s*p.Channels + m/p.mg
		dy := plane(c.DOut, i, out)
		if c.DIn[1] != nil {
			p.depth.BackwardWeight(plane(c.DIn[1], m, p.k), dy, plane(c.In[0], ch, in), c.Scratch)
		}
		if c.DIn[0] != nil {
			add := !c.Fresh[0] || m%p.mg > 0
			p.depth.BackwardInput(plane(c.DIn[0], ch, in), dy, plane(c.In[1], m, p.k), add, c.Scratch)
		}
	}
}
