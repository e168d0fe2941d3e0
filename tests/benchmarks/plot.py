"""Draws the plot of README: SNR against rate, featcodec beside the best other codec.

Usage: python tests/benchmarks/plot.py

From the files of `data/`; needs matplotlib. There is no background, and the ink is of a grey that
can be read on light and on dark pages.
"""

from pathlib import Path

import tables
from matplotlib import rc_context
from matplotlib.figure import Figure

OUT = Path(__file__).parents[2] / "featcodec" / "guide" / "rate.svg"
PANELS = {
    "mobilenetv2_op35": "MobileNetV2, 64x14x14",
    "vit_block4": "ViT, block 4 of 6",
    "minilm_hidden6": "MiniLM, layer 6 of 6",
}
INK, OURS, OTHER = "#808080", "#2a8fd0", "#e07b28"
STYLE = {
    "svg.hashsalt": "featcodec",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": INK,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK
    ),
}


def main() -> None:
    ours, other = tables.curves("rates_profile"), tables.curves("peers")
    lines = {"featcodec": (ours, OURS, "o-"), "best other codec": (other, OTHER, "s--")}
    with rc_context(STYLE):
        figure = Figure(figsize=(8, 2.9), layout="constrained")
        panels = figure.subplots(1, len(PANELS), sharey=True)
        for axes, (dump, title) in zip(panels, PANELS.items()):
            for label, (curves, colour, line) in lines.items():
                points = sorted((bits, snr) for snr, bits in curves[dump].items())
                axes.plot(*zip(*points), line, color=colour, label=label, linewidth=2, markersize=5)
            axes.set_xscale("log")
            axes.set_xticks([0.05, 0.2, 1, 4], ["0.05", "0.2", "1", "4"])
            axes.minorticks_off()
            axes.set_xlim(0.03, 6)
            axes.set_yticks(tables.SNRS)
            axes.set_title(title)
            axes.set_xlabel("bits a value")
        figure.axes[0].set_ylabel("SNR (dB)")
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2)
        figure.savefig(OUT, transparent=True, metadata={"Date": None})


if __name__ == "__main__":
    main()
