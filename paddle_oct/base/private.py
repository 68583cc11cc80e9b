"""Every private name of Paddle's that this package needs, each with the reason.

Paddle may rename any of them in any release; ``tests/base/test_private.py`` then fails. Nothing
else in the package imports a private module of Paddle's or reads a private attribute of its layers.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, ContextManager, Iterator, Mapping, NamedTuple

import paddle
from paddle import Tensor, nn
from paddle.base import core

# Whether SOT (``to_static``'s bytecode tracer) runs: no public function tells. SOT recognises this
# very function, so it is not wrapped in one of ours. Nor is ``leave_sot``: SOT does not trace a
# function that calls it. What that function calls is traced, until ``set_eval_frame(None)``, which
# returns the tracer that ``set_eval_frame`` takes again.
from paddle.jit.sot.psdb import fallback as leave_sot  # noqa: F401
from paddle.jit.sot.psdb import in_sot as in_sot

set_eval_frame = core.set_eval_frame

# -- what is running -----------------------------------------------------------------------------


@contextlib.contextmanager
def eager_mode() -> Iterator[None]:
    """Compute at once, also in a ``LazyGuard`` or while a static program is being built.

    Paddle has public functions to leave static mode, but none to leave a ``LazyGuard``.
    """
    from paddle.nn.initializer.lazy_init import lazy_init_helper

    lazy, static = lazy_init_helper(), not paddle.in_dynamic_mode()
    was_lazy = lazy.state
    lazy.disable()
    if static:
        paddle.disable_static()
    try:
        yield
    finally:
        if static:
            paddle.enable_static()
        if was_lazy:
            lazy.enable()


@contextlib.contextmanager
def outside_of_tracing() -> Iterator[None]:
    """Compute at once while ``to_static`` traces a network. :func:`eager_mode` can't: Paddle's
    public functions take that for dynamic mode, and layers give out symbolic parameters.
    """
    from paddle.base.dygraph.base import guard, to_static_mode_guard

    with contextlib.ExitStack() as stack:
        if not paddle.in_dynamic_mode():
            stack.enter_context(to_static_mode_guard(False))
            stack.enter_context(guard())
        yield


def is_static_function(function: Any) -> bool:
    """Whether ``to_static`` has wrapped a function: the wrapper's class has no public name."""
    from paddle.jit.dy2static.program_translator import StaticFunction

    return isinstance(function, StaticFunction)


@contextlib.contextmanager
def without_to_static() -> Iterator[None]:
    """Let functions that ``to_static`` has wrapped run eagerly within the block. No public function
    tells the setting that has to be restored.
    """
    from paddle.jit.dy2static.program_translator import ProgramTranslator

    was_on = ProgramTranslator().enable_to_static
    paddle.jit.enable_to_static(False)
    try:
        yield
    finally:
        paddle.jit.enable_to_static(was_on)


def set_threads(threads: int) -> None:
    """Set the number of threads of eager operators: publicly only an environment variable does."""
    from paddle.base import core

    core.set_num_threads(threads)


# -- the settings of layers ----------------------------------------------------------------------


class ConvSettings(NamedTuple):
    """The arguments of a ``paddle.nn.Conv2D``, which it keeps in private attributes."""

    in_channels: int
    out_channels: int
    kernel_size: list[int]
    stride: list[int]
    padding: Any
    dilation: list[int]
    groups: int
    padding_mode: Any
    data_format: str

    @property
    def is_depthwise(self) -> bool:
        """Whether every input channel is filtered on its own."""
        return self.groups == self.in_channels > 1


def conv_settings(conv: nn.Layer) -> ConvSettings:
    """Return the settings of a ``paddle.nn.Conv2D``."""
    layer: Any = conv
    return ConvSettings(
        layer._in_channels,
        layer._out_channels,
        layer._kernel_size,
        layer._stride,
        layer._padding,
        layer._dilation,
        layer._groups,
        layer._padding_mode,
        layer._data_format,
    )


class NormSettings(NamedTuple):
    """What a batch-norm of Paddle's computes at inference; all of it is in private attributes.

    Attributes:
        mean, variance: the running statistics.
        epsilon: what is added to the variance.
        data_format: such as ``"NCHW"``.
        act: the name of the activation that ``paddle.nn.BatchNorm`` applies too, or None.
        of_batch: whether it normalises by the statistics of the batch at inference, too.
        frozen: whether it normalises by the running statistics in training, too.
    """

    mean: Tensor
    variance: Tensor
    epsilon: float
    data_format: str
    act: str | None
    of_batch: bool
    frozen: bool


def norm_settings(norm: nn.Layer) -> NormSettings:
    """Return the settings of a ``paddle.nn.BatchNorm2D``, ``SyncBatchNorm`` or ``BatchNorm``."""
    layer: Any = norm
    older = isinstance(norm, nn.BatchNorm)
    of_batch = layer._use_global_stats is False
    return NormSettings(
        layer._mean,
        layer._variance,
        layer._epsilon,
        data_format(norm),
        layer._act if older else None,
        of_batch and (layer._trainable_statistics if older else True),
        bool(layer._use_global_stats),
    )


def is_hooked(layer: nn.Layer) -> bool:
    """Whether a layer has forward hooks: no public method tells."""
    own: Any = layer
    return bool(own._forward_pre_hooks or own._forward_post_hooks)


def sub_layers(layer: nn.Layer) -> dict[str, nn.Layer | None]:
    """Return the table of a layer's own sub-layers, which may be changed: ``add_sublayer`` can't
    replace one whose name has a dot in it, and ``named_children`` leaves out those that are None.
    """
    own: Any = layer
    return own._sub_layers


def optimizer_of(model: paddle.Model) -> paddle.optimizer.Optimizer:
    """Return the optimiser of a ``paddle.Model``: distributed training replaces the one that
    ``prepare`` was given, and no public attribute holds the one that is in use.
    """
    own: Any = model
    return own._optimizer


def set_loss_scaling(model: paddle.Model, state: Mapping[str, Any]) -> None:
    """Give a ``paddle.Model`` the state of a loss scaling that it saved: it makes its scaler in the
    first batch, and until then ``load`` passes over the state.

    Raises:
        KeyError, IndexError, TypeError, ValueError, RuntimeError: the state is of something else.
    """
    scaler = paddle.amp.GradScaler()
    scaler.load_state_dict(dict(state))  # pyright: ignore[reportArgumentType]
    own: Any = model
    own._scaler = scaler


def gradient_reducer(model: paddle.Model) -> Any:
    """Return what sums the gradients of a ``paddle.Model`` over several processes; None in one
    process. Hooks of the parameters point to it, without keeping it: whoever trains the network
    again, after the model is gone, has a segmentation fault.
    """
    own: Any = model
    parallel = getattr(own._adapter, "ddp_model", None)
    return parallel and parallel._reducer


def process_store() -> Any:
    """Return the store that the processes of a distributed training share; its server runs in the
    first of them. Operators of the gloo backend abort the process after 30 seconds of waiting for
    another, which can't be changed; who may have to wait longer does it here.
    """
    from paddle.base import core

    return core.create_or_get_global_tcp_store()


def next_unique_name(stem: str) -> str:
    """Return the name that Paddle will make next of a stem, such as "w_0_velocity": an optimiser
    takes the state of its slots by these names, and no public function tells without counting on.
    """
    before: Any = paddle.utils.unique_name.switch()
    paddle.utils.unique_name.switch(*before)
    generator = before[0]
    return f"{generator.prefix}{stem}_{generator.ids.get(stem, 0)}"


def data_format(layer: nn.Layer) -> str:
    """Return a layer's data format, "NCHW" where it has none: layers keep it under three names."""
    kept = vars(layer)
    names = ("data_format", "_data_format", "_data_layout")
    return next((kept[name] for name in names if kept.get(name, "NCHW") != "NCHW"), "NCHW")


def adaptive_pool_settings(pool: nn.Layer) -> tuple[Any, bool]:
    """Return the output size of an adaptive pooling layer, and whether it returns positions too."""
    own: Any = pool
    return own._output_size, bool(getattr(own, "_return_mask", False))


def set_channels_of_norm(norm: nn.Layer, channels: int) -> None:
    """Set how many channels a norm or PReLU says it has, after its parameters were replaced."""
    for name in ("_num_features", "_num_parameters"):
        if hasattr(norm, name):
            setattr(norm, name, channels)


def set_full_name_of_copy(layer: nn.Layer) -> None:
    """Give a deep copy a full name of its own: it has the original's, and ``paddle.summary`` counts
    layers with the same full name as one.
    """
    own: Any = layer
    own._full_name = paddle.utils.unique_name.generate(layer.full_name().rpartition("_")[0])


# -- memory --------------------------------------------------------------------------------------


def is_allocated(tensor: Tensor) -> bool:
    """Whether a Tensor has memory; ``data_ptr`` fails if not."""
    own: Any = tensor
    return own._is_initialized()


def allocated_bytes() -> int:
    """Return the bytes allocated on the CPU; ``paddle.device`` only tells those of GPUs."""
    from paddle.base import core

    return core.host_memory_stat_current_value("Allocated", 0)


def reset_peak_of_allocated() -> None:
    """Reset the peak of :func:`allocated_bytes`."""
    from paddle.base import core

    core.host_memory_stat_reset_peak_value("Allocated", 0)


def peak_of_allocated() -> int:
    """Return the peak of :func:`allocated_bytes` since the reset."""
    from paddle.base import core

    return core.host_memory_stat_peak_value("Allocated", 0)


# -- operators and programs ----------------------------------------------------------------------


def operators() -> Mapping[str, Any]:
    """Return the operators that eager mode calls, by name: to count what the functions of ``F``
    compute, which no hook of a layer sees. A few entries are no operators.
    """
    from paddle import _C_ops

    return vars(_C_ops)


def legacy_operators() -> Mapping[str, Any]:
    """Return the older operators, which ``to_static`` and some fused layers still call."""
    from paddle import _legacy_C_ops

    return vars(_legacy_C_ops)


#: The one of :func:`operators` that runs custom operators in C++; its first argument is their name.
CUSTOM_OPERATOR = "_run_custom_op"


def conv2d_gradients(
    x: Tensor, weight: Tensor, gradient: Tensor, settings: ConvSettings
) -> tuple[Tensor, Tensor]:
    """Return the gradients of ``F.conv2d`` for input and kernel; they have gradients of their own.

    With ``paddle.grad`` the convolution would have to be recomputed first.

    Args:
        x: the input, ``[N, C, H, W]``.
        weight: the kernel.
        gradient: that of the output.
        settings: those of the convolution, which is not depthwise and has its padding as integers.
    """
    pads = settings.padding
    pads = [pads, pads] if isinstance(pads, int) else list(pads)
    how = settings.stride, pads, "EXPLICIT", settings.dilation, settings.groups, "NCHW"
    return operators()["conv2d_grad"](x, weight, gradient, *how)


def old_ir() -> ContextManager[None]:
    """Write programs in the older format, the only one that oneDNN and VisualDL read. Within the
    block Paddle is in static mode.
    """
    from paddle.pir_utils import OldIrGuard

    return OldIrGuard()


def read_program(content: bytes) -> Any:
    """Return a program in the older format as a ``ProgramDesc``, to read and to change it."""
    from paddle.base import core

    return core.ProgramDesc(content)


def elementwise_in_old_ir(kind: str) -> Any:
    """Return ``F.sigmoid`` and the like for the older format, which Paddle 3.3 no longer has."""
    from paddle.base.layer_helper import LayerHelper

    def function(x, name=None):
        helper = LayerHelper(kind)
        y = helper.create_variable_for_type_inference(x.dtype)
        helper.append_op(type=kind, inputs={"X": x}, outputs={"Out": y})
        return y

    return function


# -- downloads -----------------------------------------------------------------------------------


def weights_folder() -> Path:
    """Return the folder of the weights that Paddle downloads; no public function tells."""
    from paddle.utils import download as module

    return Path(module.WEIGHTS_HOME)


def download(address: str, folder: Path) -> None:
    """Download a file into a folder, with a progress bar, unless it is there.

    The public ``get_weights_path_from_url`` unpacks whatever looks like an archive, and of several
    processes all but one wait for a file that the first may have put elsewhere.
    """
    from paddle.utils import download as module

    module._download(address, str(folder))


def download_cifar(classes: int) -> Path:
    """Download the archive of CIFAR-10 or CIFAR-100 unless it is there, and return its place.

    The public data sets of Paddle do this too, but then run what the archive names. The function
    that downloads is not public.

    Args:
        classes: 10 or 100.
    """
    from paddle.dataset.common import download as download_data
    from paddle.vision.datasets import cifar as module

    source: Any = module
    address, md5 = (getattr(source, f"CIFAR{classes}_{what}") for what in ("URL", "MD5"))
    return Path(download_data(address, "cifar", md5))
