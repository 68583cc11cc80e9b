"""The operators that a profile counts as free: they compute no sums of products."""

from __future__ import annotations

from typing import Iterable

import paddle
from paddle import Tensor

_FLOATING = (
    *(paddle.float16, paddle.bfloat16, paddle.float32, paddle.float64),
    *(paddle.complex64, paddle.complex128),
)

_MAKE = """
    arange assign assign_value bernoulli binomial data dirichlet empty empty_like exponential eye
    full full_batch_size_like full_int_array full_like full_with_tensor gaussian gaussian_inplace
    linspace logspace meshgrid multinomial one_hot ones ones_like poisson randint random randperm
    standard_gamma tril_indices triu_indices truncated_gaussian_random uniform uniform_inplace
    uniform_random_batch_size_like zeros zeros_like
"""

_MOVE = """
    as_complex as_real as_strided broadcast_tensors cast channel_shuffle complex concat copy_to crop
    diag diag_embed diagonal expand expand_as fill fill_diagonal fill_diagonal_tensor flatten flip
    fold frame gather gather_nd imag index_add index_elementwise_get index_elementwise_put
    index_elementwise_put_with_tensor index_put index_sample index_select index_select_strided
    masked_fill masked_select memcpy memcpy_d2h memcpy_h2d multiplex npu_identity overlap_add pad
    pad3d pixel_shuffle pixel_unshuffle put_along_axis real repeat_interleave
    repeat_interleave_with_tensor_index reshape reverse roll scatter scatter_nd_add set set_value
    set_value_with_tensor share_data shuffle_channel slice split split_with_num squeeze stack
    strided_slice take_along_axis temporal_shift tensor_unfold tile trans_layout transpose tril triu
    unbind unfold unpool unpool3d unsqueeze unstack view_dtype view_shape view_slice where
    embedding
"""

_ELEMENTWISE = """
    __add__ __radd__ __sub__ __rsub__ __mul__ __rmul__ __truediv__ __rtruediv__
    abs acos acosh add add_n affine_channel angle asin asinh atan atan2 atanh bitwise_and
    bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor ceil clip conj
    copysign cos cosh digamma divide elementwise_add elementwise_div elementwise_mul elementwise_pow
    elementwise_sub equal erf erfinv exp expm1 floor floor_divide
    fmax fmin gammaincc gammaln greater_equal greater_than heaviside i0 i0e i1 i1e increment isclose
    isfinite isinf isnan lerp less_equal less_than lgamma log log10 log1p log2 logical_and
    logical_not logical_or logical_xor logit maximum minimum multiply nextafter not_equal polygamma
    pow reciprocal remainder round rsqrt scale sign sin sinh sqrt square stanh subtract tan tanh
    trunc
"""

_ACTIVATE = """
    celu dropout elu fused_dropout_add gelu gumbel_softmax hardshrink hardsigmoid hardswish hardtanh
    leaky_relu log_softmax logsigmoid maxout mish prelu relu relu6 rrelu selu sigmoid silu softmax
    softplus softshrink softsign swiglu swish tanh_shrink thresholded_relu
    fused_softmax_mask fused_softmax_mask_upper_triangle
"""

_REDUCE = """
    all allclose amax amin any argmax argmin argsort bincount cummax cummin cumprod cumsum equal_all
    frobenius_norm histogram is_empty kthvalue l1_norm logcumsumexp logsumexp max max_with_index
    mean mean_all median min min_with_index mode nanmedian nansum nonzero norm numel p_norm prod
    reduce_as searchsorted segment_pool shape shape64 squared_l2_norm sum topk trace unique
    unique_consecutive var variance
"""

_NORMALISE = """
    batch_norm clip_by_norm fused_batch_norm_act fused_bn_add_activation group_norm instance_norm
    layer_norm renorm rms_norm sync_batch_norm
"""

_POOL_AND_RESIZE = """
    affine_grid bicubic_interp bilinear_interp fractional_max_pool2d fractional_max_pool3d
    grid_sample interp_antialias linear_interp lp_pool2d max_pool2d_with_index max_pool3d_with_index
    nearest_interp pool2d pool3d psroi_pool roi_align roi_pool trilinear_interp
"""

_LOSS_OR_BOXES = """
    accuracy bce_loss cross_entropy_with_softmax hinge_loss huber_loss identity_loss kldiv_loss
    label_smooth log_loss nll_loss sigmoid_cross_entropy_with_logits box_clip box_coder
    distribute_fpn_proposals generate_proposals matrix_nms multiclass_nms3 nms prior_box yolo_box
"""

_FREE = frozenset(
    f"{_MAKE} {_MOVE} {_ELEMENTWISE} {_ACTIVATE} {_REDUCE} {_NORMALISE} {_POOL_AND_RESIZE} "
    f"{_LOSS_OR_BOXES}".split()
) | {"_run_python_op"}  # the operators that a PyLayer calls are counted themselves


def is_free(name: str, tensors: Iterable[Tensor]) -> bool:
    """Whether an operator costs no multiply-accumulates, or has no floating-point Tensors.

    Args:
        name: its name.
        tensors: the Tensors that it was given and that it returned.
    """
    return name.replace("legacy.", "") in _FREE or not any(
        tensor.dtype in _FLOATING for tensor in tensors
    )
