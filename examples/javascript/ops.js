// The ops of the catalogue (docs/protocol/ops.tsv) that js-pytorch has, as its own code over the operands a, b, c and the
// parameters by name. One table serves two readers: the child runs the code, and its reports print it.

const FLAT = "a.reshape([a.shape.reduce((m, n) => m * n)])"; // sum() and mean() fold one axis; this folds all of them
const RELU = "new torch.nn.ReLU().forward(a)";
const CROSS = "new torch.nn.CrossEntropyLoss().forward(a, b)";
const MEAN_SQUARE = "new torch.nn.MSELoss().forward(a, b)";

// js-pytorch stretches a tensor along missing leading axes alone, and refuses axes of length 1.
const fits = (a, b) => {
  const [short, long] = a.shape.length < b.shape.length ? [a.shape, b.shape] : [b.shape, a.shape];
  return short.every((n, i) => n === long[long.length - short.length + i]) || "broadcasting along axes of length 1";
};
const alike = (a, b) => String(a.shape) === String(b.shape) || "operands of different shapes";
const matrices = (a, b) => (a.ndims > 1 && b.ndims > 1 && !a.point && !b.point) || "matmul of vectors";
const dropped = (a, b, c, { keepdim }) => !keepdim || "keepdim of length 1 (its keepdims repeats the result)";
const inOrder = (rule) => (a, b, c, { reduction }) => (reduction === "mean" ? rule(a, b) : "other reductions");
const neighbours = (a, b, c, { dim0, dim1 }) =>
  Math.abs(((dim0 + a.ndims) % a.ndims) - ((dim1 + a.ndims) % a.ndims)) === 1 || "transpose of axes that are not neighbours";
const counted = (...lists) => lists.flat().every((i) => i >= 0) || "indices from the end";
const first = (a, b, c, { dim = 0 }) => (dim === 0 && b.ndims === 1 && !a.point ? counted(b.data) : "an index of other axes");
const uncorrected = (a, b, c, p) => (p.correction === 0 ? dropped(a, b, c, p) : "corrected variance");

// When a result is 0-dim: where every operand is (the default), always, or where the only axis is folded.
const always = () => true;
const lastAxis = (a) => a.ndims === 1;

// Its tensors have an axis at least: where a program asks for none, one of length 1 stands for it.
export const withAxis = (params) => (params.shape?.length === 0 ? { ...params, shape: [1] } : params);

const op = (code, can = () => true, point) => ({ code, can, point });

export const OPS = {
  neg: op("a.neg()"), exp: op("a.exp()"), log: op("a.log()"), sqrt: op("a.sqrt()"), square: op("a.pow(2)"),
  reciprocal: op("torch.div(1, a)"), relu: op(RELU), pow_scalar: op("a.pow(exponent)"), pow_one: op("a.pow(1)"),
  add_scalar: op("a.add(value)"), mul_scalar: op("a.mul(value)"), rsub_scalar: op("a.neg().add(value)"),
  div_scalar: op("a.div(value)"), rdiv_scalar: op("torch.div(value, a)"),
  add: op("a.add(b)", fits), mul: op("a.mul(b)", fits), sub: op("a.sub(b)", fits), div: op("a.div(b)", fits),
  mul_with_itself: op("a.mul(a).sub(b.mul(b))", fits),
  masked_fill: op("a.masked_fill(b, (m) => m === 1, value)", alike),
  sum: op(`${FLAT}.sum()`, undefined, always), mean: op(`${FLAT}.mean()`, undefined, always),
  sum_dim: op("a.sum(dim)", dropped, lastAxis), mean_dim: op("a.mean(dim)", dropped, lastAxis),
  var_correction: op("a.variance(dim)", uncorrected, lastAxis),
  softmax: op("new torch.nn.Softmax().forward(a, dim)"),
  mse_loss: op(MEAN_SQUARE, inOrder(alike), always), cross_entropy: op(CROSS, inOrder(always), always),
  matmul: op("a.matmul(b)", matrices), mm: op("a.matmul(b)"), bmm: op("a.matmul(b)"),
  transpose: op("a.transpose(dim0, dim1)", neighbours),
  t: op("a.transpose(0, 1)", (a) => a.ndims === 2 || "t() of a vector"),
  transposed_matrices: op("a.transpose(-2, -1)"),
  reshape: op("a.reshape(shape)", undefined, (a, b, c, { shape }) => shape.length === 0),
  index_select: op("a.at(b)", first), index: op("a.at(b)", first), index_vector: op("a.at(places)", (a, b, c, { places }) => counted(places)),
  index_pairs: op("a.at(rows, columns)", (a, b, c, { rows, columns }) => counted(rows, columns)),
};
