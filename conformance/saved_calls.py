"""The op calls whose saved tensors conformance.saved measures: a table.

A line is `name | inputs | expression`. An input is `name:what`, and `what` is a letter for the values and digits for the
shape (`p34`: positive, 3 by 4):

    r  real numbers of both signs, no two alike     p  between 0.2 and 2       u  inside (-1, 1)      q  inside (0, 1)
    a  above 1                                      s  symmetric positive definite, well conditioned  d  unit row sums
    l  lower triangular, well conditioned           m  square, well conditioned
    i  indices 0..2 (no two alike in a row of 3)    b  a mask                  z  one of -1 and 1

Floating-point inputs take their turns to require grad, except those marked with an exclamation mark. In an expression
`torch` is the module under test, `F` its nn.functional.
"""

from __future__ import annotations

UNARY = """
special.entr special.log_ndtr special.i0e special.i1 special.i1e special.erfcx | p34
abs neg exp exp2 expm1 sin cos sinh cosh tanh sigmoid asinh atan sinc erf erfc floor ceil round trunc frac | r34
log log2 log10 log1p sqrt rsqrt reciprocal lgamma digamma | p34
sign sgn positive deg2rad rad2deg relu i0 angle nan_to_num clone square special.ndtr | r34
logit special.ndtri | q34
tan erfinv asin acos atanh | u34
acosh | a34
F.elu F.selu F.celu F.gelu F.silu F.mish F.softplus F.softsign F.tanhshrink F.hardtanh F.hardsigmoid F.hardswish | r34
F.relu6 F.leaky_relu F.logsigmoid F.hardshrink F.softshrink F.glu | r34
"""

BINARY = """
add sub mul div atan2 hypot maximum minimum fmax fmin fmod remainder logaddexp logaddexp2 copysign ldexp true_divide | p34 r34
pow xlogy float_power special.xlog1py | p34 p34
rsub floor_divide nextafter heaviside | r34 p34
"""

CALLS = {
    "unary": """
contiguous | self:r34 | self.contiguous() + 0
to_float32 | self:r34 | self.to(torch.float32)
dropout(p=.5,train) | self:r34 | F.dropout(self, 0.5, True)
bernoulli | self:q34 | self.bernoulli()
add_scalar | self:r34 | self + 2.0
rsub_scalar | self:r34 | torch.rsub(self, 2.0)
mul_scalar | self:r34 | self * 2.0
div_scalar | self:r34 | self / 2.0
rdiv_scalar | self:p34 | 2.0 / self
pow_scalar(2) | self:p34 | self ** 2
pow_scalar(1) | self:p34 | self ** 1
pow_scalar(0) | self:p34 | self ** 0
pow_scalar(.5) | self:p34 | self ** 0.5
rpow_scalar | self:r34 | 2.0 ** self
clamp(min,max) | self:r34 | self.clamp(-0.5, 0.5)
clamp_min | self:r34 | self.clamp_min(0.0)
clamp_max | self:r34 | self.clamp_max(0.0)
fmod_scalar | self:r34 | self.fmod(0.7)
remainder_scalar | self:r34 | self.remainder(0.7)
lerp_scalar | self:r34 | self.lerp(torch.zeros(3, 4, dtype=torch.float64), 0.3)
masked_fill_scalar | self:r34 | self.masked_fill(torch.tensor([True, False, True, False]), 0.5)
""",
    "activation": """
F.gelu(tanh) | self:r34 | F.gelu(self, approximate='tanh')
F.threshold | self:r34 | F.threshold(self, 0.1, 0.2)
F.rrelu(train) | self:r34 | F.rrelu(self, training=True)
F.prelu | input:r34 weight:p4 | F.prelu(input, weight)
""",
    "binary": """
mul(broadcast) | self:r34 other:r34 | self * other.sum(0)
add(alpha=2) | self:r34 other:r34 | torch.add(self, other, alpha=2)
div(rounding=floor) | self:r34 other:p34 | torch.div(self, other, rounding_mode='floor')
polygamma1 | self:p34 other:r34 | torch.polygamma(1, self) + other
""",
    "ternary": """
lerp | self:r34 end:r34 weight:q34 | torch.lerp(self, end, weight)
addcmul | self:r34 tensor1:r34 tensor2:r34 | torch.addcmul(self, tensor1, tensor2)
addcdiv | self:r34 tensor1:r34 tensor2:p34 | torch.addcdiv(self, tensor1, tensor2)
clamp(Tensor) | self:r34 min:u34 max:p34 | torch.clamp(self, min, max)
where | condition:b34 self:r34 other:r34 | torch.where(condition, self, other)
""",
    "reduction": """
sum | self:r34 | self.sum()
sum(dim) | self:r34 | self.sum(0)
mean | self:r34 | self.mean()
mean(dim) | self:r34 | self.mean(0)
prod | self:p34 | self.prod()
prod(dim) | self:p34 | self.prod(0)
nansum | self:r34 | self.nansum()
nanmean | self:r34 | self.nanmean()
var | self:r34 | self.var()
var(dim) | self:r34 | self.var(0)
std | self:r34 | self.std()
std(dim) | self:r34 | self.std(0)
var_mean(dim) | self:r34 | torch.var_mean(self, 0)
std_mean(dim) | self:r34 | torch.std_mean(self, 0)
max | self:r34 | self.max()
min | self:r34 | self.min()
amax | self:r34 | self.amax(0)
amin | self:r34 | self.amin(0)
aminmax | self:r34 | self.aminmax(dim=0)
median | self:r34 | self.median()
nanmedian | self:r34 | self.nanmedian()
max(dim) | self:r34 | self.max(0)
min(dim) | self:r34 | self.min(0)
median(dim) | self:r34 | self.median(0)
mode(dim) | self:r34 | self.mode(0)
kthvalue | self:r34 | self.kthvalue(2, 0)
sort | self:r34 | self.sort(0)
msort | self:r34 | self.msort()
topk | self:r34 | self.topk(2, 0)
cummax | self:r34 | self.cummax(0)
cummin | self:r34 | self.cummin(0)
cumsum | self:r34 | self.cumsum(0)
cumprod | self:p34 | self.cumprod(0)
logcumsumexp | self:r34 | self.logcumsumexp(0)
logsumexp | self:r34 | self.logsumexp(0)
softmax | self:r34 | self.softmax(0)
log_softmax | self:r34 | self.log_softmax(0)
norm(2) | self:r34 | self.norm()
norm(2,dim) | self:r34 | self.norm(2, 0)
norm(1) | self:r34 | self.norm(1)
norm(inf) | self:r34 | self.norm(float('inf'))
linalg.vector_norm | self:r34 | torch.linalg.vector_norm(self)
renorm | self:r34 | torch.renorm(self, 2, 0, 1.0)
cdist_self | self:r34 | torch.cdist(self, torch.ones(2, 4, dtype=torch.float64))
trace | self:r33 | self.trace()
diff | self:r34 | self.diff()
""",
    "linalg": """
mm | self:r34 other:r43 | self.mm(other)
matmul | self:r34 other:r43 | self @ other
bmm | self:r234 other:r243 | self.bmm(other)
dot | self:r4 other:p4 | self.dot(other)
vdot | self:r4 other:p4 | torch.vdot(self, other)
inner | self:r34 other:p34 | torch.inner(self, other)
outer | self:r3 other:r4 | torch.outer(self, other)
kron | self:r22 other:r22 | torch.kron(self, other)
tensordot | self:r34 other:r43 | torch.tensordot(self, other, 1)
einsum(ij,jk) | self:r34 other:r43 | torch.einsum('ij,jk->ik', self, other)
cross | self:r43 other:p43 | torch.linalg.cross(self, other)
cdist | self:r34 other:p34 | torch.cdist(self, other)
dist | self:r34 other:p34 | torch.dist(self, other)
mv | self:r34 vec:r4 | self.mv(vec)
addmm | self:r33 mat1:r34 mat2:r43 | torch.addmm(self, mat1, mat2)
addmv | self:r3 mat:r34 vec:r4 | torch.addmv(self, mat, vec)
addr | self:r34 vec1:r3 vec2:r4 | torch.addr(self, vec1, vec2)
baddbmm | self:r233 batch1:r234 batch2:r243 | torch.baddbmm(self, batch1, batch2)
addbmm | self:r33 batch1:r234 batch2:r243 | torch.addbmm(self, batch1, batch2)
inverse | A:m33 | torch.linalg.inv(A)
det | A:m33 | torch.linalg.det(A)
slogdet | A:m33 | torch.linalg.slogdet(A)
cholesky | A:s33 | torch.linalg.cholesky(A)
qr | A:m33 | torch.linalg.qr(A)
svd | A:m33 | torch.linalg.svd(A)
svdvals | A:m33 | torch.linalg.svdvals(A)
eigh | A:s33 | torch.linalg.eigh(A)
eigvalsh | A:s33 | torch.linalg.eigvalsh(A)
matrix_exp | A:m33 | torch.linalg.matrix_exp(A)
pinv | A:m33 | torch.linalg.pinv(A)
lu | A:m33 | torch.linalg.lu(A)
lu_factor | A:m33 | torch.linalg.lu_factor(A)
matrix_power(3) | A:m33 | torch.linalg.matrix_power(A, 3)
cholesky_inverse | A:l33 | torch.cholesky_inverse(A)
linalg.norm(fro) | A:m33 | torch.linalg.norm(A)
solve | A:m33 B:r32 | torch.linalg.solve(A, B)
solve_triangular | A:l33 B:r32 | torch.linalg.solve_triangular(A.tril(), B, upper=False)
cholesky_solve | B:r32 L:l33 | torch.cholesky_solve(B, L)
lstsq | A:m33 B:r32 | torch.linalg.lstsq(A, B).solution
""",
    "shape": """
view | self:r34 | self.view(12)
reshape | self:r34 | self.reshape(4, 3)
t | self:r34 | self.t()
transpose | self:r34 | self.transpose(0, 1)
permute | self:r34 | self.permute(1, 0)
expand | self:r34 | self.expand(2, 3, 4)
squeeze | self:r14 | self.squeeze(0)
unsqueeze | self:r34 | self.unsqueeze(0)
select | self:r34 | self.select(0, 1)
slice | self:r34 | self[1:]
narrow | self:r34 | self.narrow(0, 1, 2)
split | self:r44 | sum(self.split(2))
chunk | self:r44 | sum(self.chunk(2))
unbind | self:r34 | sum(self.unbind())
diagonal | self:r34 | self.diagonal()
diag | self:r3 | self.diag()
tril | self:r34 | self.tril()
triu | self:r34 | self.triu()
flip | self:r34 | self.flip(0)
roll | self:r34 | self.roll(1, 0)
rot90 | self:r34 | self.rot90()
repeat | self:r34 | self.repeat(2, 1)
repeat_interleave | self:r34 | self.repeat_interleave(2, 0)
tile | self:r34 | self.tile(2)
unfold | self:r34 | self.unfold(1, 2, 1)
as_strided | self:r34 | self.as_strided((2, 2), (1, 2))
flatten | self:r34 | self.flatten()
movedim | self:r34 | self.movedim(0, 1)
diag_embed | self:r34 | self.diag_embed()
F.pad(const) | self:r34 | F.pad(self, (1, 1))
F.pad(reflect) | self:r134 | F.pad(self, (1, 1), mode='reflect')
F.pad(replicate) | self:r134 | F.pad(self, (1, 1), mode='replicate')
F.pad(circular) | self:r134 | F.pad(self, (1, 1), mode='circular')
index(slice+int) | self:r34 | self[1, 1:3]
fft.fft | self:r34 | torch.view_as_real(torch.fft.fft(self))
fft.rfft | self:r34 | torch.view_as_real(torch.fft.rfft(self))
cat | self:r34 other:r34 | torch.cat([self, other])
stack | self:r34 other:r34 | torch.stack([self, other])
meshgrid | self:r3 other:r4 | torch.meshgrid(self, other, indexing='ij')
cartesian_prod | self:r3 other:r4 | torch.cartesian_prod(self, other)
broadcast_tensors | self:r31 other:r14 | torch.broadcast_tensors(self, other)
block_diag | self:r34 other:r22 | torch.block_diag(self, other)
complex | self:r34 other:r34 | torch.view_as_real(torch.complex(self, other))
polar | self:p34 other:r34 | torch.view_as_real(torch.polar(self, other))
""",
    "index": """
index(int list) | self:r34 index:i3 | self[index]
index(bool mask) | self:r34 mask:b34 | self[mask]
index_select | self:r34 index:i3 | self.index_select(0, index)
gather | self:r34 index:i34 | self.gather(0, index)
take | self:r34 index:i3 | self.take(index)
take_along_dim | self:r34 index:i34 | torch.take_along_dim(self, index, 0)
masked_select | self:r34 mask:b34 | self.masked_select(mask)
masked_fill(scalar) | self:r34 mask:b34 | self.masked_fill(mask, 0.5)
masked_fill(tensor) | self:r34 mask:b34 value:r | self.masked_fill(mask, value)
masked_scatter | self:r34 mask:b34 source:r34 | self.masked_scatter(mask, source)
scatter | self:r34 index:i34 src:r34 | self.scatter(0, index, src)
scatter_add | self:r34 index:i34 src:r34 | self.scatter_add(0, index, src)
scatter_reduce(sum) | self:r34 index:i34 src:r34 | self.scatter_reduce(0, index, src, 'sum')
scatter_reduce(prod) | self:p34 index:i34 src:p34 | self.scatter_reduce(0, index, src, 'prod')
scatter_reduce(mean) | self:r34 index:i34 src:r34 | self.scatter_reduce(0, index, src, 'mean')
scatter_reduce(amax) | self:r34 index:i34 src:r34 | self.scatter_reduce(0, index, src, 'amax')
scatter_reduce(amin) | self:r34 index:i34 src:r34 | self.scatter_reduce(0, index, src, 'amin')
index_add | self:r34 index:i3 source:r34 | self.index_add(0, index, source)
index_copy | self:r34 index:i3 source:r34 | self.index_copy(0, index, source)
index_fill | self:r34 index:i3 value:r | self.index_fill(0, index, value)
index_put | self:r34 index:i3 values:r34 | self.index_put((index,), values)
index_put(accumulate) | self:r34 index:i3 values:r34 | self.index_put((index,), values, accumulate=True)
index_reduce(prod) | self:p34 index:i3 source:p34 | self.index_reduce(0, index, source, 'prod')
select_scatter | self:r34 src:r4 | self.select_scatter(src, 0, 1)
slice_scatter | self:r34 src:r24 | self.slice_scatter(src, 0, 1)
diagonal_scatter | self:r34 src:r3 | self.diagonal_scatter(src)
F.embedding | indices:i3 weight:r34 | F.embedding(indices, weight)
F.embedding_bag(mean) | indices:i23 weight:r34 | F.embedding_bag(indices, weight)
""",
    "loss": """
F.mse_loss | input:r34 target:p34 | F.mse_loss(input, target)
F.l1_loss | input:r34 target:p34 | F.l1_loss(input, target)
F.smooth_l1_loss | input:r34 target:p34 | F.smooth_l1_loss(input, target)
F.huber_loss | input:r34 target:p34 | F.huber_loss(input, target)
F.binary_cross_entropy | input:q34 target:q34 | F.binary_cross_entropy(input, target)
F.binary_cross_entropy_with_logits | input:r34 target:q34 | F.binary_cross_entropy_with_logits(input, target)
F.kl_div | input:r34 target:q34 | F.kl_div(input, target, reduction='mean')
F.poisson_nll_loss | input:r34 target:p34 | F.poisson_nll_loss(input, target)
F.soft_margin_loss | input:r34 target:!z34 | F.soft_margin_loss(input, target)
F.nll_loss | input:r34 target:i3 | F.nll_loss(input, target)
F.cross_entropy(index) | input:r34 target:i3 | F.cross_entropy(input, target)
F.cross_entropy(prob) | input:r34 target:d34 | F.cross_entropy(input, target)
F.multi_margin_loss | input:r34 target:i3 | F.multi_margin_loss(input, target)
F.margin_ranking_loss | input1:r3 input2:p3 target:!z3 | F.margin_ranking_loss(input1, input2, target)
F.cosine_similarity | x1:r34 x2:p34 | F.cosine_similarity(x1, x2)
F.gaussian_nll_loss | input:r34 target:p34 var:p34 | F.gaussian_nll_loss(input, target, var)
F.ctc_loss | log_probs:r424 targets:i22 | F.ctc_loss(log_probs.log_softmax(2), targets, (4, 4), (1, 1), blank=3)
""",
    "nn": """
F.linear | input:r34 weight:r24 bias:r2 | F.linear(input, weight, bias)
F.linear(3d) | input:r234 weight:r24 bias:r2 | F.linear(input, weight, bias)
F.bilinear | input1:r34 input2:r32 weight:r242 | F.bilinear(input1, input2, weight)
F.conv1d | input:r125 weight:r323 bias:r3 | F.conv1d(input, weight, bias)
F.conv2d | input:r1255 weight:r3233 bias:r3 | F.conv2d(input, weight, bias)
F.conv_transpose2d | input:r1255 weight:r2333 bias:r3 | F.conv_transpose2d(input, weight, bias)
F.layer_norm | input:r34 weight:p4 bias:r4 | F.layer_norm(input, (4,), weight, bias)
F.group_norm | input:r243 weight:p4 bias:r4 | F.group_norm(input, 2, weight, bias)
F.rms_norm | input:r34 weight:p4 | F.rms_norm(input, (4,), weight)
F.batch_norm(train) | input:r34 weight:p4 bias:r4 | F.batch_norm(input, None, None, weight, bias, training=True)
F.batch_norm(eval) | input:r34 running_mean:!r4 running_var:!p4 weight:p4 bias:r4 | F.batch_norm(input, running_mean, running_var, weight, bias)
F.instance_norm | input:r234 | F.instance_norm(input)
F.max_pool2d | self:r1244 | F.max_pool2d(self, 2)
F.avg_pool2d | self:r1244 | F.avg_pool2d(self, 2)
F.adaptive_avg_pool2d | self:r1244 | F.adaptive_avg_pool2d(self, 2)
F.adaptive_max_pool2d | self:r1244 | F.adaptive_max_pool2d(self, 2)
F.interpolate(nearest) | self:r1244 | F.interpolate(self, scale_factor=2, mode='nearest')
F.interpolate(bilinear) | self:r1244 | F.interpolate(self, scale_factor=2, mode='bilinear')
F.pixel_shuffle | self:r1444 | F.pixel_shuffle(self, 2)
F.unfold | self:r1244 | F.unfold(self, 2)
F.normalize | self:r34 | F.normalize(self)
F.lp_pool2d | self:p1244 | F.lp_pool2d(self, 2, 2)
F.local_response_norm | self:r1244 | F.local_response_norm(self, 2)
F.grid_sample | input:r1244 grid:u1332 | F.grid_sample(input, grid, align_corners=False)
F.scaled_dot_product_attention | q:r1234 k:r1234 v:r1234 | F.scaled_dot_product_attention(q, k, v)
F.softmin | input:r34 | F.softmin(input, 0)
F.gumbel_softmax | input:r34 | F.gumbel_softmax(input)
""",  # noqa: E501 - a call is one line
}
