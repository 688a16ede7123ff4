"""What shows between the lips: cavity, tongue, teeth, and the shade of the lips on them."""

from __future__ import annotations

import math

import numpy as np

from avatar_service.jit import kernel
from avatar_service.render.lips import (
    AS_PHOTO,
    AXIS_X,
    AXIS_Y,
    BACK_UNLIT,
    BESIDE_OWN,
    CURVE_FIRST,
    CURVE_STEP,
    CURVE_STEPS,
    GAP,
    LIFT,
    LOWER,
    LOWER_WET_REACH,
    ORIGIN_X,
    ORIGIN_Y,
    RED_SHADE,
    ROUND,
    ROUND_RAISES,
    SHADE,
    SIZE,
    SLIT_OPEN,
    SLIT_SHUT,
    TIP_P,
    TIP_Q,
    TIP_SHOWS_FROM,
    TIP_TALL,
    TONGUE_UP,
    TOOTH_OPEN,
    TOOTH_SHUT,
    UPPER,
    UPPER_WET,
    UPPER_WET_REACH,
    WET_SHINES,
    WET_SPARES,
    WIDTH,
)
from avatar_service.render.sdf import sample_texture, smoothstep
from avatar_service.render.teeth import look_up_strip
from avatar_service.signals import Float32Array, UInt8Array


@kernel
def draw_inside(
    frame: UInt8Array,
    local: Float32Array,
    curves: Float32Array,
    upper: Float32Array,
    lower: Float32Array,
    teeth_upper: Float32Array,
    teeth_lower: Float32Array,
    own_teeth: Float32Array,
    own_origin: Float32Array,
    own_room: Float32Array,
    room_origin: Float32Array,
    own_map: Float32Array,
    cavity: Float32Array,
    wet: Float32Array,
    tongue: Float32Array,
    tongue_half_width: float,
    flesh_tint: float,
    sample: Float32Array,
    rgb: Float32Array,
) -> None:
    """Blend all that shows between the lips into the frame."""
    ox, oy, ax, ay = local[ORIGIN_X], local[ORIGIN_Y], local[AXIS_X], local[AXIS_Y]
    width, size, gap, shade = local[WIDTH], local[SIZE], local[GAP], local[SHADE]
    rounding = local[ROUND]
    has_own = own_teeth.shape[0] > 1
    own_lift = local[LIFT]
    as_photo = local[AS_PHOTO] if own_room.shape[0] > 1 else 0.0
    soft = max(0.5, 0.0045 * size)
    # Little light enters between lips that are hardly parted, or pushed forward.
    entering = 0.42 + 0.58 * smoothstep(gap, 0.012, 0.085)
    light = entering * (1.0 - 0.30 * rounding) * shade
    # Teeth stand right behind the lips and catch most of it, until lips are pushed forward far.
    tooth_light = 1.0 - 0.46 * smoothstep(rounding, 0.15, 1.0)
    tooth_light *= (0.82 + 0.18 * entering) * shade
    tooth_shade = 0.30 if has_own else 0.36  # the photo's own shade is in its teeth
    # Lips that are hardly parted shade no deeper than the gap between them.
    near_reach = min(0.040, 0.45 * gap + 0.006) * size
    under_reach = min(0.030, 0.30 * gap + 0.004) * size
    upper_wet, lower_wet = UPPER_WET_REACH * size, LOWER_WET_REACH * size
    tip_p, tip_q = local[TIP_P], local[TIP_Q]
    raised = local[TONGUE_UP]
    tongue_w = tongue_half_width * size
    tip_shows = smoothstep(raised, TIP_SHOWS_FROM, 1.0)
    tip_tall = TIP_TALL * gap * size
    # The back of the tongue is seen above its tip, more of it the wider the mouth.
    tongue_h = size * (0.045 + 0.25 * gap + 0.05 * raised)
    tongue_top = tip_q - tongue_h - raised * 0.6 * gap * size

    top, bottom = 1e6, -1e6
    for i in range(CURVE_STEPS):
        top, bottom = min(top, curves[UPPER, i]), max(bottom, curves[LOWER, i])
    x0, y0, x1, y1 = 1e9, 1e9, -1e9, -1e9
    for i in range(4):
        p = -soft if i % 2 == 0 else width + soft
        q = top if i < 2 else bottom
        x, y = ox + p * ax - q * ay, oy + p * ay + q * ax
        x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
    first_x, first_y = max(int(x0) - 2, 0), max(int(y0) - 2, 0)
    last_x, last_y = min(int(x1) + 3, frame.shape[1]), min(int(y1) + 3, frame.shape[0])
    run = CURVE_STEP * width
    for y in range(first_y, last_y):
        for x in range(first_x, last_x):
            dx, dy = x - ox, y - oy
            p, q = dx * ax + dy * ay, dy * ax - dx * ay
            t = p / width
            at = (t - CURVE_FIRST) / CURVE_STEP
            i = int(at)
            if at < 0.0 or i > CURVE_STEPS - 2:
                continue
            f = at - i
            u0, u1 = curves[UPPER, i], curves[UPPER, i + 1]
            l0, l1 = curves[LOWER, i], curves[LOWER, i + 1]
            rise, fall = (u1 - u0) / run, (l1 - l0) / run
            above = (q - u0 - f * (u1 - u0)) / math.sqrt(1.0 + rise * rise)
            below = (l0 + f * (l1 - l0) - q) / math.sqrt(1.0 + fall * fall)
            cover = (min(above, soft) + min(below, soft)) / (soft + soft)
            if cover <= 0.0:
                continue
            cover = min(cover, 1.0)

            # Cavity: the palate far up is darkest.
            depth = 0.55 + 0.45 * smoothstep(q, curves[UPPER, i], curves[UPPER, i] + 0.16 * size)
            aside = abs(t - 0.5) * 2.0
            for c in range(3):
                rgb[c] = cavity[c] * depth

            # Tongue: a round back fading into the dark, a groove in its middle.
            xt = (p - tip_p) / tongue_w
            if abs(xt) < 1.2:
                arch = math.sqrt(max(1.0 - min(xt * xt, 1.0), 0.0))
                edge = tip_q - (tip_q - tongue_top) * (0.35 + 0.65 * arch)
                inside = smoothstep(q, edge - 0.020 * size, edge + 0.035 * size)
                inside *= smoothstep(-abs(xt), -1.08, -0.85)
                front = smoothstep(q, tongue_top, tip_q + 0.02 * size)
                lit = 0.44 + (0.34 + 0.12 * raised) * front
                lit *= (0.78 + 0.22 * arch) * (1.0 + 0.2 * raised)
                lit -= 0.07 * math.exp(-(xt * xt) / 0.012) * front
                for c in range(3):
                    rgb[c] += inside * (tongue[c] * lit - rgb[c])
                inside_raised = inside * raised
            else:
                inside_raised = 0.0

            tooth = 0.0  # how much of the pixel is tooth that light from outside reaches
            side = look_up_strip(lower, teeth_lower, t, q, sample)
            if side >= 0.0:
                back = smoothstep(side, 0.15, 0.75)
                dim = 0.86 - 0.56 * back
                k = 1.0 - inside_raised
                tooth = (1.0 - BACK_UNLIT * back) * k * sample[3] * (1 / 255)
                # What is lit by the lips and the tongue only is as red as they are.
                other = dim * (1.0 - flesh_tint * (1.0 - RED_SHADE) * (1.0 - dim))
                for c in range(3):
                    lit = sample[c] * (dim if c == 0 else other)
                    rgb[c] += k * (lit - sample[3] * (1 / 255) * rgb[c])
            # Own teeth cover the front ones; those behind them are not in the photo. They bite a
            # little higher, so that no second edge shows below the own ones. Rounded lips reach
            # over the edges of the teeth.
            raise_by = ROUND_RAISES * rounding * size
            if has_own:
                raise_by = max(raise_by, own_lift) + 0.012 * size
            side = look_up_strip(upper, teeth_upper, t, q + raise_by, sample)
            if side >= 0.0:
                back = smoothstep(side, 0.16, 0.76)
                dim = 1.0 - 0.70 * back
                k = 1.0
                if has_own:
                    k = smoothstep(side, 0.08, 0.22)
                    dim *= BESIDE_OWN
                tooth = max(tooth, (1.0 - BACK_UNLIT * back) * k * sample[3] * (1 / 255))
                other = dim * (1.0 - flesh_tint * (1.0 - RED_SHADE) * (1.0 - dim))
                for c in range(3):
                    lit = sample[c] * (dim if c == 0 else other)
                    rgb[c] += k * (lit - sample[3] * (1 / 255) * rgb[c])
            if has_own:
                px = own_map[0, 0] * x + own_map[0, 1] * y + own_map[0, 2]
                py = own_map[1, 0] * x + own_map[1, 1] * y + own_map[1, 2]
                # Lift: look further down in the photo.
                px += own_lift * (-ay * own_map[0, 0] + ax * own_map[0, 1])
                py += own_lift * (-ay * own_map[1, 0] + ax * own_map[1, 1])
                px, py = px - own_origin[0], py - own_origin[1]
                if -1.0 < px < own_teeth.shape[1] and -1.0 < py < own_teeth.shape[0]:
                    sample_texture(own_teeth, px, py, sample)
                    tooth = max(tooth, sample[3] * (1 / 255))
                    for c in range(3):
                        rgb[c] += sample[c] - sample[3] * (1 / 255) * rgb[c]

            # Between the teeth (TH) the tip of the tongue stands before the upper ones.
            if tip_shows > 0.0 and abs(xt) < 1.0:
                top_q = curves[LOWER, i] - tip_tall * math.sqrt(1.0 - xt * xt)
                inside = tip_shows * smoothstep(q, top_q - soft, top_q + soft)
                inside *= smoothstep(-abs(xt), -1.0, -0.8)
                lit = 0.72 + 0.2 * smoothstep(q, top_q, top_q + 0.5 * tip_tall)
                for c in range(3):
                    rgb[c] += inside * (tongue[c] * lit - rgb[c])
                tooth = max(tooth, inside)

            # Shade of the lips: close to them, most under the upper one, and in the corners.
            near = min(above, below) / near_reach
            shade_near = 0.60 + 0.40 * min(max(near, 0.0), 1.0)
            under = 1.0 - 0.30 * math.exp(-max(above, 0.0) / under_reach)
            corner = 1.0 - 0.28 * smoothstep(aside, 0.50, 1.05)
            keep = shade_near * under * corner
            keep_tooth = (1.0 - (1.0 - keep) * tooth_shade) * tooth_light
            keep = keep * light + tooth * (keep_tooth - keep * light)
            # Light that passes between lips turns red: shade takes more of green and blue, of
            # teeth, which are lit from outside, less.
            keep = max(keep, 0.02)
            keep_red = math.exp((1.0 - flesh_tint * (0.16 + 0.04 * tooth)) * math.log(keep))
            flesh_round = flesh_tint * rounding * (1.0 - 0.7 * tooth)
            keep_green = keep * (1.0 - 0.10 * flesh_round)
            keep_blue = math.exp((1.0 + flesh_tint * (0.06 + 0.04 * tooth)) * math.log(keep))
            keep_blue *= 1.0 - 0.18 * flesh_round
            # Lips roll inwards: their wet inner side is seen before the dark, and in a slit, as
            # beside the corners, nothing else. The lower one's faces up, to the light.
            lit_below = math.exp(-max(below, 0.0) / lower_wet)
            rolled = max(UPPER_WET * math.exp(-max(above, 0.0) / upper_wet), lit_below)
            parted = (above + below) / size
            thin = 1.0 - smoothstep(parted, SLIT_SHUT, SLIT_OPEN)
            hidden = tooth * smoothstep(parted, TOOTH_SHUT, TOOTH_OPEN)
            rolled = max(rolled, thin) * (1.0 - WET_SPARES * hidden)
            wet_light = (1.0 + WET_SHINES * lit_below * lit_below) * shade
            if as_photo > 0.0:
                px = own_map[0, 0] * x + own_map[0, 1] * y + own_map[0, 2] - room_origin[0]
                py = own_map[1, 0] * x + own_map[1, 1] * y + own_map[1, 2] - room_origin[1]
                sample_texture(own_room, px, py, sample)
            for c in range(3):
                value = rgb[c] * (keep_red if c == 0 else keep_green if c == 1 else keep_blue)
                value += rolled * (wet[c] * wet_light - value)
                if as_photo > 0.0:
                    value += as_photo * (sample[c] * shade - value)
                old = float(frame[y, x, c])
                value = old + cover * (min(value, 255.0) - old)
                frame[y, x, c] = np.uint8(max(value + 0.5, 0.0))
