"""Figures in sentences."""


def seconds(value: float) -> str:
    """`0.12 s`, `3.4 s`, `12 s`, `3 min 05 s`, `2 h 05 min`."""
    if value < 0.995:
        return f"{value:.2g} s"
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def percent(share: float) -> str:
    """`8 %`, `0.4 %`."""
    return f"{share:.0%}".replace("%", " %") if share >= 0.01 else f"{100 * share:.2g} %"


def times(ratio: float) -> str:
    """`3.2`, `12`, `1,200`: to be followed by `times`."""
    return f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:,.0f}"
