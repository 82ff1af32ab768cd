package onnx

// operator says how an operator of ONNX is built into a graph.
type operator struct {
	// build applies the operator to inputs of which one at least is not
	// constant. It is nil for operators that have no useful derivative, or work
	// on integers: they are only folded.
	build func(b *builder, n *node) ([]value, error)
	min   int // inputs that must be there
	// optional says that inputs beyond those may be empty or missing.
	optional bool
	since    int // operator set that introduced it; 0: all that are read
	until    int // last operator set that has it; 0: all that are read
	// elementwise says that initializers with one element count as constants.
	elementwise bool
}

var operators map[string]operator

// The table is filled here because builders look up operators themselves, as those of
// branches do.
func init() {
	operators = map[string]operator{
		"Constant": {build: buildConstant},
		"Identity": {build: buildIdentity, min: 1}, "Dropout": {build: buildDropout, min: 1, optional: true}, "Cast": {build: buildCast, min: 1},
		"CastLike": {build: buildIdentity, min: 2, since: 15},
		"If":       {build: buildIf, min: 1},
		"LSTM":     {build: buildRecurrent, min: 3, optional: true}, "GRU": {build: buildRecurrent, min: 3, optional: true},
		"ConstantOfShape": {build: buildFilled, min: 1},
		"Shape":           {build: buildShape, min: 1}, "Size": {build: buildSize, min: 1},

		"Gemm": {build: buildGemm, min: 2, optional: true}, "MatMul": {build: buildMatMul, min: 2},
		"Conv": {build: buildConv, min: 2, optional: true}, "ConvTranspose": {build: buildConvTranspose, min: 2, optional: true},
		"MaxPool": {build: buildMaxPool, min: 1}, "AveragePool": {build: buildAveragePool, min: 1},
		"GlobalAveragePool": {build: buildGlobalPool, min: 1}, "GlobalMaxPool": {build: buildGlobalPool, min: 1},

		"BatchNormalization": {build: buildBatchNorm, min: 5}, "InstanceNormalization": {build: buildInstanceNorm, min: 3},
		"LayerNormalization": {build: buildLayerNorm, min: 2, optional: true, since: 17}, "GroupNormalization": {build: buildGroupNorm, min: 3, since: 18},
		"LRN": {build: buildLRN, min: 1}, "Softmax": {build: buildSoftmax, min: 1}, "LogSoftmax": {build: buildSoftmax, min: 1},

		"Reshape": {build: buildReshape, min: 2}, "Flatten": {build: buildFlatten, min: 1}, "Squeeze": {build: buildSqueeze, min: 1, optional: true},
		"Unsqueeze": {build: buildUnsqueeze, min: 1}, "Transpose": {build: buildTranspose, min: 1}, "Concat": {build: buildConcat, min: 1},
		"Split": {build: buildSplit, min: 1, optional: true}, "Slice": {build: buildSlice, min: 1, optional: true}, "Gather": {build: buildGather, min: 2},
		"Expand": {build: buildExpand, min: 2, since: 8}, "Tile": {build: buildTile, min: 2}, "Pad": {build: buildPad, min: 1, optional: true},
		"Where": {build: buildWhere, min: 3, since: 9}, "Not": {build: buildNot, min: 1}, "Einsum": {build: buildEinsum, min: 1, since: 12}, "DepthToSpace": {build: buildDepthToSpace, min: 1}, "SpaceToDepth": {build: buildDepthToSpace, min: 1},
		"Upsample": {build: buildResize, min: 1, optional: true, until: 9}, "Resize": {build: buildResize, min: 1, optional: true, since: 10},
	}
	for name := range maps {
		operators[name] = operator{build: buildMap, min: 1, optional: name == "Clip", since: maps[name].since, elementwise: true}
	}
	for name := range pairs {
		operators[name] = operator{build: buildPair, min: 1, elementwise: true}
	}
	for name := range comparisons {
		operators[name] = operator{build: buildComparison, min: 2, elementwise: true}
	}
	operators["PRelu"] = operator{build: buildPRelu, min: 2}
	for name := range reductions {
		operators[name] = operator{build: buildReduce, min: 1, optional: true}
	}
	for name := range folds {
		if _, ok := operators[name]; !ok {
			operators[name] = operator{min: 1, elementwise: true}
		}
	}
	for _, name := range []string{"Sign", "ArgMax", "ArgMin", "IsNaN", "IsInf", "Hardmax", "OneHot", "TopK", "NonZero"} {
		operators[name] = operator{} // known to have no useful gradient, and not folded
	}
}

// supported tells whether a node's operator can be built or folded.
func (f *file) supported(n *node) bool {
	spec, ok := operators[n.op]
	domain := n.domain == "" || n.domain == "ai.onnx"
	return ok && domain && f.opset >= spec.since && (spec.until == 0 || f.opset <= spec.until)
}
