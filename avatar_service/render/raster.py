"""The person's raster in two passes: visibility per triangle, then sampling per pixel.

Pass one leaves, for the nearest surface at each pixel, its texture coordinates and its shading as
two packed words; pass two reads the texture in one flat loop, four channels at a time.

Convention:
    Texture: premultiplied RGBA8 as one uint32 per texel, row by row. Pixel centres at integers.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from avatar_service.jit import Scalar, kernel
from avatar_service.portrait.topology import Int32Array
from avatar_service.signals import Float32Array

UInt16Array = NDArray[np.uint16]
UInt32Array = NDArray[np.uint32]

EMPTY_DEPTH: Final = np.float32(1e9)
COORDINATE_BITS: Final = 20
"""Texture coordinates take 12 bits before and 8 after the point; shading takes the rest."""
MAX_TEXTURE_PX: Final = 4096
SHADE_ONE: Final = 128
ALPHA_CUT: Final = 6
"""Texels with less alpha do not hide what lies behind them."""
FOLD_ONE: Final = 258
"""pull * (value of 127) * 0.5 as a 16-bit fraction: 127 * 258 = 0.5 * 65536."""
EDGE: Final = np.float32(-2e-3)
"""Pixels this far (barycentric) outside still belong to a triangle: no cracks between them."""


def _describe_sample(
    _context: Any, texture: Any, index: Any, stride: Any, fu: Any, fv: Any, shading: Any
) -> Any:
    """Sample bilinearly and shade: (texel index, row stride, fractions 0..255, shade) -> uint32.

    Written as LLVM vectors of eight 16-bit lanes (two texels), for which numba has no words.
    """
    signature = types.uint32(
        texture, types.uintp, types.uintp, types.int32, types.int32, types.int32
    )

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        array, texel, row, fraction_u, fraction_v, shade_word = args
        i8, i16, i32 = ir.IntType(8), ir.IntType(16), ir.IntType(32)
        eight, four = ir.VectorType(i16, 8), ir.VectorType(i16, 4)
        data = context.make_array(sig.args[0])(context, builder, array).data

        def constant(kind: Any, value: int) -> Any:
            return ir.Constant(kind, [value] * kind.count)

        def lanes(*numbers: int) -> Any:
            return ir.Constant(ir.VectorType(i32, len(numbers)), list(numbers))

        def splat(value: Any, kind: Any) -> Any:
            undefined = ir.Constant(kind, ir.Undefined)
            one = builder.insert_element(undefined, value, ir.Constant(i32, 0))
            return builder.shuffle_vector(one, undefined, lanes(*[0] * kind.count))

        def two_texels(at: Any) -> Any:
            bytes8 = ir.VectorType(i8, 8)
            pointer = builder.bitcast(builder.gep(data, [at]), bytes8.as_pointer())
            loaded = builder.load(pointer, typ=bytes8)
            loaded.align = 4
            return builder.zext(loaded, eight)

        def weigh(total: Any, kind: Any) -> Any:
            return builder.lshr(builder.add(total, constant(kind, 128)), constant(kind, 8))

        u16, v16 = builder.trunc(fraction_u, i16), builder.trunc(fraction_v, i16)
        whole = ir.Constant(i16, 256)
        above = builder.mul(two_texels(texel), splat(builder.sub(whole, v16), eight))
        below = builder.mul(two_texels(builder.add(texel, row)), splat(v16, eight))
        column = weigh(builder.add(above, below), eight)
        sides = builder.shuffle_vector(
            splat(builder.sub(whole, u16), four), splat(u16, four), lanes(*range(8))
        )
        column = builder.mul(column, sides)
        undefined = ir.Constant(eight, ir.Undefined)
        left = builder.shuffle_vector(column, undefined, lanes(0, 1, 2, 3))
        right = builder.shuffle_vector(column, undefined, lanes(4, 5, 6, 7))
        color = weigh(builder.add(left, right), four)
        factor = builder.insert_element(
            splat(builder.trunc(shade_word, i16), four),
            ir.Constant(i16, SHADE_ONE),
            ir.Constant(i32, 3),
        )
        shaded = builder.add(builder.mul(color, factor), constant(four, SHADE_ONE // 2))
        shaded = builder.lshr(shaded, constant(four, 7))
        # Premultiplied: no channel may exceed the alpha, whose lane is not shaded.
        top = builder.shuffle_vector(shaded, ir.Constant(four, ir.Undefined), lanes(3, 3, 3, 3))
        shaded = builder.select(builder.icmp_unsigned("<", shaded, top), shaded, top)
        return builder.bitcast(builder.trunc(shaded, ir.VectorType(i8, 4)), i32)

    return signature, generate


sample_texel: Any = intrinsic(_describe_sample)
"""(texture, texel, row stride, u fraction, v fraction, shade) -> uint32; see _describe_sample."""


@kernel
def clear(depth: Float32Array) -> None:
    """Empty the depth buffer."""
    for i in range(depth.shape[0]):
        depth[i] = EMPTY_DEPTH


@kernel
def rasterize(
    vertices: Float32Array,
    uv: Float32Array,
    shading: Float32Array,
    triangles: Int32Array,
    texture: UInt32Array,
    texture_px: int,
    has_alpha_test: bool,
    size_px: int,
    packed: Int32Array,
    depth: Float32Array,
) -> None:
    """Find what is nearest at each pixel.

    Args:
        vertices: (V, 3) output px and depth; finite and bounded, which the caller has checked.
        uv: (V, 2) texture px.
        shading: (V,) factor on the brightness.
        triangles: (T, 3).
        texture: (texture_px ** 2,), read for its alpha where has_alpha_test.
        texture_px: side of the texture.
        has_alpha_test: whether to skip texels of almost no coverage.
        size_px: side of the output.
        packed: (size_px ** 2, 2) out: u; v and shading.
        depth: (size_px ** 2,) in and out.
    """
    zero, one = np.float32(0), np.float32(1)
    last = np.float32(size_px - 1)
    max_uv = np.float32(texture_px) - np.float32(1.01)
    fixed = np.float32(256)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay = vertices[a, 0], vertices[a, 1]
        bx, by = vertices[b, 0], vertices[b, 1]
        cx, cy = vertices[c, 0], vertices[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < np.float32(1e-4):
            continue
        left = np.int32(math.ceil(max(zero, min(ax, min(bx, cx)) - np.float32(0.01))))
        right = np.int32(math.floor(min(last, max(ax, max(bx, cx)) + np.float32(0.01))))
        top = np.int32(math.ceil(max(zero, min(ay, min(by, cy)) - np.float32(0.01))))
        bottom = np.int32(math.floor(min(last, max(ay, max(by, cy)) + np.float32(0.01))))
        if left > right or top > bottom:
            continue
        inverse = one / area
        # Barycentric weights of b and c, and of a, as planes over the image.
        bdx, bdy = (cy - ay) * inverse, (ax - cx) * inverse
        cdx, cdy = (ay - by) * inverse, (bx - ax) * inverse
        adx = -bdx - cdx
        u0, v0, z0, s0 = uv[a, 0], uv[a, 1], vertices[a, 2], shading[a]
        ub, vb, zb, sb = uv[b, 0] - u0, uv[b, 1] - v0, vertices[b, 2] - z0, shading[b] - s0
        uc, vc, zc, sc = uv[c, 0] - u0, uv[c, 1] - v0, vertices[c, 2] - z0, shading[c] - s0
        udx, udy = ub * bdx + uc * cdx, ub * bdy + uc * cdy
        vdx, vdy = vb * bdx + vc * cdx, vb * bdy + vc * cdy
        zdx, zdy = zb * bdx + zc * cdx, zb * bdy + zc * cdy
        sdx, sdy = sb * bdx + sc * cdx, sb * bdy + sc * cdy
        for y in range(top, bottom + 1):
            dy = np.float32(y) - ay
            # The span of x for which all three weights are at least EDGE.
            low, high = np.float32(left) - ax, np.float32(right) - ax
            wb, wc = bdy * dy, cdy * dy
            low, high = _cut(low, high, wb, bdx)
            low, high = _cut(low, high, wc, cdx)
            low, high = _cut(low, high, one - wb - wc, adx)
            if low > high:
                continue
            first = max(np.int32(math.ceil(low + ax - np.float32(1e-3))), left)
            final = min(np.int32(math.floor(high + ax + np.float32(1e-3))), right)
            if first > final:
                continue
            dx = np.float32(first) - ax
            u = u0 + udx * dx + udy * dy
            v = v0 + vdx * dx + vdy * dy
            z = z0 + zdx * dx + zdy * dy
            s = s0 + sdx * dx + sdy * dy
            o = np.uintp(y * size_px + first)
            for _ in range(final - first + 1):
                if z < depth[o]:
                    iu = np.int32(max(zero, min(max_uv, u)) * fixed)
                    iv = np.int32(max(zero, min(max_uv, v)) * fixed)
                    is_seen = True
                    if has_alpha_test:
                        nearest = np.uintp(
                            ((iv + np.int32(128)) >> 8) * texture_px + ((iu + np.int32(128)) >> 8)
                        )
                        is_seen = (texture[nearest] >> np.uint32(24)) >= np.uint32(ALPHA_CUT)
                    if is_seen:
                        depth[o] = z
                        packed[o, 0] = iu
                        packed[o, 1] = iv | (
                            np.int32(s * np.float32(SHADE_ONE) + np.float32(0.5)) << COORDINATE_BITS
                        )
                u += udx
                v += vdx
                z += zdx
                s += sdx
                o += np.uintp(1)


@kernel
def _cut(low: Scalar, high: Scalar, at_zero: Scalar, slope: Scalar) -> tuple[Scalar, Scalar]:
    """Narrow [low, high] to where at_zero + slope * x >= EDGE."""
    flat = np.float32(1e-9)
    if slope > flat:
        low = max(low, (EDGE - at_zero) / slope)
    elif slope < -flat:
        high = min(high, (EDGE - at_zero) / slope)
    elif at_zero < EDGE:
        high = low - np.float32(1)
    return low, high


@kernel
def sample(
    packed: Int32Array,
    depth: Float32Array,
    texture: UInt32Array,
    texture_px: int,
    folds: UInt16Array,
    folds_px: int,
    pull: Int32Array,
    out: UInt32Array,
) -> None:
    """Read the texture for every pixel; empty pixels become 0.

    Args:
        packed: (N, 2) of rasterize.
        depth: (N,) of rasterize.
        texture: (texture_px ** 2,).
        texture_px: side of the texture.
        folds: (folds_px ** 2,) of PersonTexture.
        folds_px: side of that map, half the texture's.
        pull: (1 + groups,) how far each group pulls, FOLD_ONE = fully; [0] is 0 where none does.
        out: (N,) premultiplied RGBA.
    """
    low = np.int32((1 << COORDINATE_BITS) - 1)
    byte = np.int32(255)
    has_folds = pull[0] != 0
    for i in range(depth.shape[0]):
        if depth[i] >= EMPTY_DEPTH:
            out[i] = np.uint32(0)
            continue
        iu = packed[i, 0]
        word = packed[i, 1]
        iv = word & low
        shade = word >> COORDINATE_BITS
        if has_folds:
            fold = folds[np.uintp((iv >> 9) * np.int32(folds_px) + (iu >> 9))]
            if fold >= np.uint16(256):
                deep = (np.int32(fold & np.uint16(255)) - 128) * pull[fold >> np.uint16(8)]
                shade += (shade * deep + np.int32(1 << 15)) >> 16
        texel = np.uintp((iv >> 8) * np.int32(texture_px) + (iu >> 8))
        out[i] = sample_texel(texture, texel, np.uintp(texture_px), iu & byte, iv & byte, shade)
