// Package gomlx runs a GoMLX graph as a feature.Trainable, so that models written
// in GoMLX, on accelerators too, can be trained, unlearned and audited by this
// library. It is a module of its own, which no other package imports: programs
// that do not use GoMLX download nothing of it. It needs Go 1.26.5, and is built
// and tested with GoMLX v0.28.1 and compute v0.1.2.
//
// [New] takes a backend, a store and a [Graph], the function that builds the
// network. The weights are the variables of the store: a checkpoint loaded into it
// is what is unlearned, and what was unlearned is saved from it.
//
// # Executions
//
// Forward is one execution. Grad and GradMode are two, between which the loss is
// computed: forward, and forward again with backward. A graph is compiled for
// every batch size, mode, set of taps and set of wanted gradients, and kept; see
// [Options.Graphs]. The last, shorter batch of a dataset costs one more
// compilation of each graph in a run, and none in later epochs. An execution that
// has begun is finished before a canceled context ends the call.
//
// # Modes
//
// Mode.Train is what scope.IsTraining tells the graph. The random numbers that a
// graph draws by its scope, as dropout does, come from Mode.Seed. A variable that
// the graph changes in training is a statistic, which Mode.Track moves. GoMLX's
// batch norm keeps .99 of its old averages in each batch, and Align gives them 30
// batches to become those of new weights: give it a Momentum of .9, as in PyTorch.
//
// # Backends
//
// The Go backend of compute v0.1.2 is for tests and small networks. What it has no
// operation for is an error of New: max pooling has no gradient, and batch norm
// needs operations of its own. What it differentiates wrongly is one too, as New
// compares all gradients with differences ([ErrGradient], [Options.NoCheck]):
// convolutions with kernels of even size, and, on any backend, GoMLX's batch norm
// with UseBackendInference(false) in training, whose gradient leaves out the
// batch's mean and variance. The comparison is as good as its random inputs and
// the weights at hand: where a weight is zero, what is behind it is not seen.
//
// A panic of the graph or of the backend is an error wrapping [ErrGraph]. By
// default the Go backend runs operations on goroutines of its own, and a panic
// there, as of the gradient of overlapping mean pooling, ends the program. Made by
//
//	gobackend.New("ops_sequential")
//
// it runs them on the caller's, at about the same speed.
//
// Processor time beside feature/nn (AVX-512, medians of seven interleaved rounds;
// TestTiming): a perceptron 784-256-10 at 64 rows takes the Go backend 5.4 ms
// forward and 16 ms with all gradients, 7.5 and 12 times as much; two 3×3
// convolutions with 6 and 8 channels on 32 images of 3×32×32 take .17 s and .46 s,
// 130 and 150 times as much.
//
// # What a GPU needs
//
// Linux on amd64 with NVIDIA's driver, and a C compiler, since XLA is called by
// cgo. The program imports
//
//	_ "github.com/gomlx/go-xla/compute/xla"
//
// (v0.4.0 goes with these versions), makes its backend by
// compute.NewWithConfig("xla:cuda"), or by compute.New with GOMLX_BACKEND=xla:cuda
// in the environment, and passes it to [New]. The first start downloads XLA's
// plugin and the CUDA libraries, several gigabytes from PyPI, into
// ~/.local/lib/go-xla. With GOMLX_NO_AUTO_INSTALL=1 it does not; they are then
// installed by go run github.com/gomlx/go-xla/cmd/pjrt_installer@latest.
// "xla:cuda,preallocate=false" leaves other programs their part of the memory.
// [Model.Close] frees what the compiled graphs hold on the device. To test an
// installation:
//
//	UNLEARN_GOMLX_BACKEND=xla:cuda go test -tags xla -run XLA .
package gomlx
