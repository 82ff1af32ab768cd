// Package onnxfile writes the ONNX format: the messages of onnx.proto, in
// protobuf's encoding. Every writer of ONNX in this module uses it, and the reader
// shares its numbers of fields and types.
//
// A message is a byte slice; a field of one is a message too, of that field
// alone, so that messages are made by concatenation. The functions that write a
// field of a GraphProto say so; they are the arguments of Model.
package onnxfile

// Fields of ModelProto.
const (
	ModelIR       = 1
	ModelProducer = 2
	ModelGraph    = 7
	ModelOpset    = 8
	ModelFunction = 25
)

// Fields of OperatorSetIdProto.
const (
	OpsetDomain  = 1
	OpsetVersion = 2
)

// Fields of GraphProto.
const (
	GraphNode        = 1
	GraphName        = 2
	GraphInitializer = 5
	GraphInput       = 11
	GraphOutput      = 12
	GraphValue       = 13
	GraphSparse      = 15
)

// Fields of NodeProto.
const (
	NodeInput     = 1
	NodeOutput    = 2
	NodeName      = 3
	NodeOp        = 4
	NodeAttribute = 5
	NodeDomain    = 7
)

// Fields of FunctionProto.
const (
	FunctionName      = 1
	FunctionInput     = 4
	FunctionOutput    = 5
	FunctionAttribute = 6
	FunctionNode      = 7
	FunctionOpset     = 9
	FunctionDomain    = 10
	FunctionDefault   = 11
)

// Fields of AttributeProto.
const (
	AttrName    = 1
	AttrFloat   = 2
	AttrInt     = 3
	AttrText    = 4
	AttrTensor  = 5
	AttrGraph   = 6
	AttrFloats  = 7
	AttrInts    = 8
	AttrTexts   = 9
	AttrTensors = 10
	AttrGraphs  = 11
	AttrType    = 20
	AttrRef     = 21
	AttrSparse  = 22
	AttrSparses = 23
)

// Values of AttributeProto.AttributeType.
const (
	KindFloat  = 1
	KindInt    = 2
	KindText   = 3
	KindTensor = 4
	KindGraph  = 5
	KindFloats = 6
	KindInts   = 7
	KindTexts  = 8
)

// Fields of TensorProto.
const (
	TensorDims     = 1
	TensorType     = 2
	TensorFloats   = 4
	TensorInt32s   = 5
	TensorInt64s   = 7
	TensorName     = 8
	TensorRaw      = 9
	TensorDoubles  = 10
	TensorUint64s  = 11
	TensorExternal = 13
	TensorLocation = 14
)

// Values of TensorProto.DataType that have numbers.
const (
	Float    = 1
	Uint8    = 2
	Int8     = 3
	Uint16   = 4
	Int16    = 5
	Int32    = 6
	Int64    = 7
	Bool     = 9
	Float16  = 10
	Double   = 11
	Uint32   = 12
	Uint64   = 13
	Bfloat16 = 16
)

// Fields of ValueInfoProto and the messages in it.
const (
	ValueName  = 1
	ValueType  = 2
	TypeTensor = 1
	ElemType   = 1
	ElemShape  = 2
	ShapeDim   = 1
	DimValue   = 1
	DimParam   = 2
)
