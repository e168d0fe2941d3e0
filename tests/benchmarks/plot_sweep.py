"""Draws the plot of the guide's results: rate against SNR, and rates asked for and used.

Usage: python tests/benchmarks/plot_sweep.py

From what `sweep.py` left in `data/`; needs matplotlib.
"""

from matplotlib import rc_context
from matplotlib.figure import Figure
from plot import INK, OTHER, OURS, OUT, STYLE
from sweep_tables import by_dump
from tables import DUMPS


def main() -> None:
    with rc_context(STYLE):
        figure = Figure(figsize=(8, 3.4), layout="constrained")
        snr, rate = figure.subplots(1, 2)
        for axes, name in ((snr, "sweep_snr"), (rate, "sweep_bpfp")):
            for dump, rows in by_dump(name).items():
                points = [(row["bpfp"], row["asked"]) for row in rows if row["bpfp"]]
                bits, asked = zip(*((float(b), float(a)) for b, a in points))
                colour = OURS if dump in DUMPS else OTHER
                label = "tuned on" if dump in DUMPS else "not tuned on"
                if axes is rate:
                    bits, asked = asked, bits
                axes.plot(bits, asked, color=colour, label=label, linewidth=1)
            axes.set_xscale("log")
        rate.plot((0.005, 8), (0.005, 8), ":", color=INK, linewidth=1)
        rate.set_yscale("log")
        snr.set_xlabel("bits a value")
        snr.set_ylabel("SNR (dB)")
        rate.set_xlabel("bits a value asked for")
        rate.set_ylabel("bits a value used")
        found = dict(zip(*reversed(snr.get_legend_handles_labels())))
        figure.legend(found.values(), found, loc="outside upper center", ncols=2)
        figure.savefig(OUT.with_name("sweep.svg"), transparent=True, metadata={"Date": None})


if __name__ == "__main__":
    main()
