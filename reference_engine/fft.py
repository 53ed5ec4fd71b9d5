"""torch.fft: names for the Fourier transforms of the table."""

from __future__ import annotations

from .ops.fourier import FFT

globals().update(FFT)
__all__ = sorted(FFT)
