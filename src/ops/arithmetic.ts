// Pointwise arithmetic, comparisons, logic and elementary functions, with broadcasting.

import { map } from "./op.ts";

export const add = map("add", "y = a + b", { doc: { en: "Sum, element by element.", ja: "要素ごとの和" } });
export const sub = map("sub", "y = a - b", { doc: { en: "Difference, element by element.", ja: "要素ごとの差" } });
export const mul = map("mul", "y = a * b", { doc: { en: "Product, element by element (Hadamard product).", ja: "要素ごとの積" } });
export const div = map("div", "y = a / b", {
  doc: { en: "Quotient, element by element; integers divide to a float.", ja: "要素ごとの商" },
});
export const mod = map("mod", "y = a % b", {
  doc: { en: "Remainder with the sign of the divisor. On wasm and x64 exact while |a / b| < 2²³.", ja: "余り（符号は割る数と同じ）" },
});
export const pow = map("pow", "y = a ^ b", { doc: { en: "a to the power b.", ja: "べき乗" } });
export const minimum = map("minimum", "y = min(a, b)", {
  doc: { en: "The smaller of the two; equal values share the gradient.", ja: "小さい方" },
});
export const maximum = map("maximum", "y = max(a, b)", {
  doc: { en: "The larger of the two; equal values share the gradient.", ja: "大きい方" },
});

export const neg = map("neg", "y = -x", { doc: { en: "Negative.", ja: "符号を反転する" } });
export const abs = map("abs", "y = abs(x)", { doc: { en: "Absolute value; its gradient at 0 is 0.", ja: "絶対値" } });
export const sign = map("sign", "y = sign(x)", { doc: { en: "−1, 0 or 1.", ja: "符号" } });
export const square = map("square", "y = x * x", { gradient: { x: "gy * 2 * x" }, doc: { en: "x².", ja: "二乗" } });
export const sqrt = map("sqrt", "y = sqrt(x)", { doc: { en: "Square root.", ja: "平方根" } });
export const rsqrt = map("rsqrt", "y = 1 / sqrt(x)", {
  gradient: { x: "-0.5 * gy * y / x" },
  doc: { en: "One over the square root.", ja: "平方根の逆数" },
});
export const reciprocal = map("reciprocal", "y = 1 / x", { gradient: { x: "-gy * y * y" }, doc: { en: "One over x.", ja: "逆数" } });
export const exp = map("exp", "y = exp(x)", { doc: { en: "e to the power x.", ja: "指数関数" } });
export const expm1 = map("expm1", "y = expm1(x)", { gradient: { x: "gy * (y + 1)" }, doc: { en: "e^x − 1, accurate near 0." } });
export const log = map("log", "y = log(x)", { doc: { en: "Natural logarithm.", ja: "自然対数" } });
export const log1p = map("log1p", "y = log1p(x)", { doc: { en: "log(1 + x), accurate near 0." } });
export const log2 = map("log2", "y = log(x) / log(2)", { doc: { en: "Logarithm to base 2.", ja: "2 を底とする対数" } });
export const sin = map("sin", "y = sin(x)", {
  doc: { en: "Sine of an angle in radians.", ja: "正弦" },
});
export const cos = map("cos", "y = cos(x)", {
  doc: { en: "Cosine of an angle in radians.", ja: "余弦" },
});
export const tan = map("tan", "y = tan(x)", {
  doc: { en: "Tangent of an angle in radians.", ja: "正接" },
});
export const asin = map("asin", "y = asin(x)", { doc: { en: "Arc sine, in radians." } });
export const acos = map("acos", "y = acos(x)", { doc: { en: "Arc cosine, in radians." } });
export const atan = map("atan", "y = atan(x)", { doc: { en: "Arc tangent, in radians." } });
export const sinh = map("sinh", "y = sinh(x)", { doc: { en: "Hyperbolic sine." } });
export const cosh = map("cosh", "y = cosh(x)", { doc: { en: "Hyperbolic cosine." } });
export const erf = map("erf", "y = erf(x)", { doc: { en: "Error function: 2/√π ∫₀ˣ e^(−t²) dt.", ja: "誤差関数" } });
export const floor = map("floor", "y = floor(x)", { doc: { en: "Largest integer not above x; no gradient.", ja: "切り捨て" } });
export const ceil = map("ceil", "y = ceil(x)", { doc: { en: "Smallest integer not below x; no gradient.", ja: "切り上げ" } });
export const round = map("round", "y = round(x)", {
  doc: { en: "Nearest integer, halves to the even one; no gradient.", ja: "四捨五入（ちょうど半分は偶数へ）" },
});
export const trunc = map("trunc", "y = trunc(x)", { doc: { en: "The integer part; no gradient.", ja: "整数部分" } });
export const clip = map("clip", "y = min(max(x, low), high)", {
  params: { low: "float", high: "float" },
  gradient: { x: "select(x >= low && x <= high, gy, 0)" },
  doc: { en: "Limits x to [low, high]; the gradient passes inside the limits.", ja: "範囲に収める" },
});

export const less = map("less", "y = a < b", { doc: { en: "a < b, as bool." } });
export const lessEqual = map("lessEqual", "y = a <= b", { doc: { en: "a ≤ b, as bool." } });
export const greater = map("greater", "y = a > b", { doc: { en: "a > b, as bool." } });
export const greaterEqual = map("greaterEqual", "y = a >= b", { doc: { en: "a ≥ b, as bool." } });
export const equal = map("equal", "y = a == b", { doc: { en: "a = b, as bool." } });
export const notEqual = map("notEqual", "y = a != b", { doc: { en: "a ≠ b, as bool." } });
export const logicalAnd = map("logicalAnd", "y = a && b", { doc: { en: "Both are true (not 0)." } });
export const logicalOr = map("logicalOr", "y = a || b", { doc: { en: "At least one is true (not 0)." } });
export const logicalNot = map("logicalNot", "y = !x", { doc: { en: "True where x is 0." } });
export const isNaN_ = map("isNaN", "y = isnan(x)", { doc: { en: "True where x is not a number." } });
export const isFinite_ = map("isFinite", "y = isfinite(x)", { doc: { en: "True where x is neither infinite nor NaN." } });
export const select = map("select", "y = select(condition, a, b)", {
  doc: { en: "a where the condition holds, else b; the gradient flows to the chosen one.", ja: "条件による選択" },
});

export const toFloat = map("toFloat", "y = float(x)", { doc: { en: "Conversion to a float." } });
export const toInt = map("toInt", "y = int(x)", { doc: { en: "Conversion to an integer, toward zero." } });
export const toBool = map("toBool", "y = bool(x)", { doc: { en: "True where x is not 0." } });
