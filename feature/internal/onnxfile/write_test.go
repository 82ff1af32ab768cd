package onnxfile

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// reference is what python3-onnx 1.12 serializes for the model of TestModel, by
//
//	n = helper.make_node("Gemm", ["x", "w"], ["y"], name="n")
//	for k, a in [("alpha", .5), ("perm", [1, -1]), ("transB", 1), ("mode", "m"), ("scales", [1., 2.]),
//	             ("value", numpy_helper.from_array(numpy.array([3, -4]), "v"))]:
//	    n.attribute.append(helper.make_attribute(k, a))
//	helper.make_model(helper.make_graph([n], "g", [helper.make_tensor_value_info("x", 1, ["batch", 3])],
//	    [helper.make_tensor_value_info("y", 1, ["batch", 2])], [numpy_helper.from_array(numpy.array([[1, 2, 3], [4, 5, 6]], "f"), "w")]),
//	    producer_name="p", opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
const reference = "" +
	"08081201703af5010a96010a01780a01771201791a016e220447656d6d2a0f0a05616c706861150000003fa001012a160a047065726d400140ffffff" +
	"ffffffffffff01a001072a0d0a067472616e73421801a001022a0c0a046d6f646522016da001032a150a067363616c65733d0000803f3d00000040a0" +
	"01062a250a0576616c75652a19080210074201764a100300000000000000fcffffffffffffffa001041201672a230802080310014201774a18000080" +
	"3f0000004000004040000080400000a0400000c0405a180a017812130a110801120d0a07120562617463680a02080362180a017912130a110801120d" +
	"0a07120562617463680a02080242040a001011"

func TestModel(t *testing.T) {
	got := Model(8, 17, "p",
		Node("Gemm", "n", []string{"x", "w"}, []string{"y"}, FloatAttr("alpha", .5), IntsAttr("perm", 1, -1), IntAttr("transB", 1),
			TextAttr("mode", "m"), FloatsAttr("scales", 1, 2), TensorAttr("value", Tensor("v", Int64, []int{2}, Raw(Ints([]int{3, -4}))))),
		Text(GraphName, "g"),
		Initializer(Tensor("w", Float, []int{2, 3}, Raw(Floats([]float32{1, 2, 3, 4, 5, 6})))),
		Input("x", -1, 3), Output("y", -1, 2))
	want, err := hex.DecodeString(reference)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}
