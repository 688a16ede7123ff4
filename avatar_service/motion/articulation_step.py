"""One 20 ms step of the articulation network as a few matrix products.

A convolution of torch costs more to call than to compute on a single step; here every layer is one
product with weights laid out beforehand, a third of a millisecond in all for one stream and little
more for sixteen. Same numbers as ArticulationNet.forward, within rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from avatar_service.motion.articulation_net import ArticulationNet, ArticulationOutput, NetState
from avatar_service.motion.visemes import NUM_VISEMES


class ArticulationStepper:
    """Runs single steps of a trained network; holds its own layout of the weights.

    Args:
        net: in evaluation mode; later changes of its weights are not seen.
    """

    def __init__(self, net: ArticulationNet) -> None:
        self._net = net
        with torch.no_grad():
            width = net.config.channels
            # Convolution weights (out, in, kernel) -> (kernel * in, out): time-major rows.
            self._stem = net.stem.weight.permute(2, 1, 0).reshape(-1, width).contiguous()
            self._kernels = [
                layer.weight.permute(2, 1, 0).reshape(-1, width).contiguous()
                for layer in _layers(net)
            ]
            memory = dict(net.memory.named_parameters())
            self._input_gates = memory["weight_ih_l0"].t().contiguous()
            self._hidden_gates = memory["weight_hh_l0"].t().contiguous()
            self._input_bias, self._hidden_bias = memory["bias_ih_l0"], memory["bias_hh_l0"]
            self._mix = net.mix.weight.t().contiguous()
            self._heads = net.heads.weight.t().contiguous()

    def __call__(self, features: Tensor, state: NetState) -> tuple[ArticulationOutput, NetState]:
        """Hear one step.

        Args:
            features: (batch, 2, 80) log-mel frames.
            state: what the streams heard before; not changed.

        Returns:
            Outputs with one step, and the state after it; as ArticulationNet.forward.
        """
        net = self._net
        batch = features.shape[0]
        mels = (features - net.mel_mean) * net.mel_scale
        mels = torch.cat([state.mels, mels], dim=1)  # (B, 6, M)
        x = torch.addmm(_bias(net.stem.bias), mels.reshape(batch, -1), self._stem)  # (B, C)
        x = functional.gelu(x)
        tails: list[Tensor] = []
        for layer, norm, kernel, tail in zip(
            _layers(net), net.norms, self._kernels, state.convolutions, strict=True
        ):
            dilation = int(layer.dilation[0])
            heard = torch.cat([tail[:, :, 0], tail[:, :, dilation], x], dim=1)  # (B, 3C)
            y = torch.addmm(_bias(layer.bias), heard, kernel)
            tails.append(torch.cat([tail[:, :, 1:], x[:, :, None]], dim=2))
            x = x + functional.gelu(norm(y))
        hidden = self._gru(x, state.hidden)
        z = torch.addmm(net.mix.bias, torch.cat([hidden, x], dim=1), self._mix)
        out = torch.addmm(net.heads.bias, functional.gelu(z), self._heads)
        out = out.view(batch, 1, -1, net.config.head_width)
        output = ArticulationOutput(out[..., :NUM_VISEMES], out[..., NUM_VISEMES:])
        return output, NetState(mels[:, 2:], tails, hidden)

    def _gru(self, x: Tensor, hidden: Tensor) -> Tensor:
        """torch.nn.GRU's own equations: reset, update and new gate, in this order."""
        ours = torch.addmm(self._input_bias, x, self._input_gates)
        theirs = torch.addmm(self._hidden_bias, hidden, self._hidden_gates)
        reset_in, update_in, new_in = ours.chunk(3, dim=1)
        reset_kept, update_kept, new_kept = theirs.chunk(3, dim=1)
        reset = torch.sigmoid(reset_in + reset_kept)
        update = torch.sigmoid(update_in + update_kept)
        new = torch.tanh(torch.addcmul(new_in, reset, new_kept))
        return torch.lerp(new, hidden, update)


def _layers(net: ArticulationNet) -> list[torch.nn.Conv1d]:
    return [layer for layer in net.convolutions if isinstance(layer, torch.nn.Conv1d)]


def _bias(bias: Tensor | None) -> Tensor:
    if bias is None:
        raise ValueError("the network's convolutions have biases")
    return bias
