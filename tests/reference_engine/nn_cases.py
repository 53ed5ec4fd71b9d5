"""The calls on which the nn chapters are compared with torch, one a line: expression | shape of x, y, z.

`m` is torch or the reference engine, `F` its nn.functional, x, y, z leaves of the given shapes. "+": positive values.
A trailing "!": torch's second derivative is missing, or the values of a graph's node differ; only the first is compared.
"""

from __future__ import annotations

TABLE = """
F.pad(x, (1, -1, 2, 0)) | 2,4,5
F.pad(x, (1, 2), mode='reflect') | 2,3,4
F.pad(x, (1, 2, 0, 1), mode='replicate') | 1,2,3,4
F.pad(x, (1, 1), mode='circular') | 2,3,4
F.conv1d(x, y, z, stride=2, padding=1) | 2,4,7 | 6,4,3 | 6
F.conv2d(x, y, z, groups=2, dilation=2) | 1,4,5,6 | 2,2,2,2 | 2
F.conv3d(x, y, padding=(0, 1, 1)) | 1,2,2,3,3 | 2,2,2,2,2
F.conv_transpose1d(x, y, z, stride=2, output_padding=1) | 2,4,3 | 4,3,3 | 3
F.conv_transpose2d(x, y, groups=2, padding=1) | 1,4,3,3 | 4,1,2,3
F.conv1d(x, y, padding='same') | 1,2,5 | 3,2,4
F.max_pool1d(x, 2) | 2,3,6
F.max_pool2d(x, 3, stride=2, padding=1, ceil_mode=True) | 1,2,5,6
F.max_pool3d(x, 2) | 1,1,4,4,4
F.avg_pool1d(x, 2) | 2,3,6
F.avg_pool2d(x, 3, stride=2, padding=1, ceil_mode=True, count_include_pad=False) | 1,2,5,6
F.avg_pool3d(x, 2, divisor_override=3) | 1,1,4,4,4
F.adaptive_avg_pool2d(x, (2, 3)) | 1,2,5,4
F.adaptive_max_pool2d(x, (2, 3)) | 1,2,5,4
F.max_pool2d(x, 2) | 0,2,4,4
F.lp_pool2d(x, 2, 2) | +1,2,4,4
F.batch_norm(x, None, None, y, z, True) | 4,3,2 | 3 | 3
F.batch_norm(x, m.zeros(3, dtype=x.dtype), m.ones(3, dtype=x.dtype), y, z) | 4,3 | 3 | 3
F.layer_norm(x, (3, 4), y, z) | 2,3,4 | 3,4 | 3,4
F.group_norm(x, 2, y, z) | 2,4,3 | 4 | 4
F.instance_norm(x, weight=y, bias=z) | 2,3,4 | 3 | 3
F.rms_norm(x, (4,), y) | 2,4 | 4
F.local_response_norm(x, 2) | 2,3,4
F.normalize(x) | 2,3
F.linear(x, y, z) | 2,3 | 4,3 | 4
F.linear(x, y, z) | 2,2,3 | 4,3 | 4
F.bilinear(x, y, z) | 2,3 | 2,4 | 5,3,4
F.embedding(m.tensor([[0, 1], [3, 1]]), x, padding_idx=1) | 4,3
F.embedding_bag(m.tensor([[0, 1], [3, 1]]), x) ! | 4,3
F.embedding_bag(m.tensor([0, 1, 3, 1]), x, m.tensor([0, 2]), mode='sum', per_sample_weights=y) ! | 4,3 | 4
F.embedding_bag(m.tensor([0, 1, 3, 1]), x, m.tensor([0, 2]), mode='max') ! | 4,3
F.cosine_similarity(x, y) | 4,3 | 4,3
F.celu(x, 2.0) | 7
F.mish(x) | 7
F.hardswish(x * 4) | 7
F.hardsigmoid(x * 4) ! | 7
F.softshrink(x) | 7
F.hardshrink(x) | 7
F.logsigmoid(x) | 7
F.threshold(x, 0.1, 2.0) | 7
F.glu(x) | 2,4
F.prelu(x, y) | 2,3,2 | 3
F.rrelu(x) | 7
F.celu(x * 1, 2.0, True) | 7
F.hardswish(x * 4, True) | 7
F.mse_loss(x, y) | 4,3 | 4,3
F.l1_loss(x, y, reduction='sum') ! | 4,3 | 4,3
F.smooth_l1_loss(x, y, beta=0.5) | 4,3 | 4,3
F.huber_loss(x, y, reduction='none', delta=0.5) | 4,3 | 4,3
F.binary_cross_entropy(x, y) | +4,3 | +4,3
F.binary_cross_entropy_with_logits(x, y, pos_weight=m.ones(3, dtype=x.dtype) * 2) | 4,3 | +4,3
F.kl_div(x, y, reduction='batchmean') | 4,3 | +4,3
F.nll_loss(x, m.tensor([0, 2, 1, 0]), ignore_index=1) | 4,3
F.nll_loss(x, m.zeros(2, 2, 2, dtype=m.int64), reduction='none') | 2,3,2,2
F.cross_entropy(x, m.tensor([0, 2, 1, 0])) | 4,3
F.cross_entropy(x, m.tensor(1)) | 3
F.soft_margin_loss(x, m.ones(4, 3, dtype=x.dtype)) | 4,3
F.multi_margin_loss(x, m.tensor([0, 2, 1, 0])) ! | 4,3
F.multilabel_margin_loss(x, m.tensor([[0, -1, 1], [1, 2, -1]])) ! | 2,3
F.ctc_loss(x.log_softmax(2), m.tensor([[1, 2], [2, 2]]), (5, 4), (2, 2), reduction='sum') ! | 5,2,3
F.poisson_nll_loss(x, y) | 4,3 | 4,3
F.gaussian_nll_loss(x, y, z) | 4,3 | 4,3 | +4,3
F.hinge_embedding_loss(x, m.tensor([1.0, -1.0, 1.0], dtype=x.dtype)) | 4,3
F.margin_ranking_loss(x, y, m.ones(4, dtype=x.dtype), 0.1) | 4 | 4
F.interpolate(x, size=5) | 1,2,3
F.interpolate(x, scale_factor=1.7, mode='bilinear') | 1,2,3,4
F.interpolate(x, size=(5, 2), mode='bicubic', align_corners=True) | 1,2,3,4
F.unfold(x, 2, padding=1) | 1,2,3,4
F.fold(x, (4, 5), (2, 3), stride=(2, 1)) | 2,12,6
F.grid_sample(x, y) | 1,2,3,4 | 1,2,2,2
F.grid_sample(x, y, padding_mode='reflection', align_corners=True) | 1,2,3,4 | 1,2,2,2
F.pixel_shuffle(x, 2) | 1,8,2,3
F.pixel_unshuffle(x, 2) | 1,2,4,6
F.channel_shuffle(x, 2) | 1,6,2,2
m.ops.aten.convolution_backward(x, y, z, [2], [1], [0], [1], False, [0], 1, [True, True, True])[1] ! | 1,2,3 | 1,2,4 | 2,2,2
m.ops.aten.native_group_norm(x, y, z, 2, 4, 3, 2, 1e-5)[0] | 2,4,3 | 4 | 4
m.ops.aten.max_pool2d_with_indices(x, [2, 2])[0] | 1,2,4,4
m.ops.aten._adaptive_avg_pool2d(x, [2, 2]) | 1,2,4,4
m.ops.aten.upsample_bilinear2d.vec(x, [5, 6], False, None) | 1,2,3,4
"""


def cases() -> list[tuple[str, list[tuple[bool, tuple[int, ...]]], bool]]:
    """(expression, (positive, shape) of each leaf, whether second derivatives and node names are compared)."""
    out = []
    for line in TABLE.strip().splitlines():
        call, *shapes = (part.strip() for part in line.split(" | "))
        leaves = [(s.startswith("+"), tuple(int(n) for n in s.strip("+").split(","))) for s in shapes]
        out.append((call.removesuffix("!").strip(), leaves, not call.endswith("!")))
    return out
