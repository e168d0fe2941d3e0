"""Measured constants of the encoder's decisions; a file can be read whatever they are.

Each was chosen for the least bits at equal SNR over the ten dumps of `features/eval` that the guide
names (`featcodec guide results`), with `tests/benchmarks/measure.py rates` at 2, 5, 10, 20 and 30
dB, in November 2026. Constants of one mode lie in its folder in `featcodec.modes`, those of a stage
beside the stage.
"""

# What is coded with loss, and how.
# Of what deflate leaves of the elements: above that, coding bit for bit may be smaller; where it
# leaves little, codes and masks, that is so sooner.
WORTHWHILE = 0.5
REGULAR, WORTHWHILE_REGULAR = 0.25, 0.25
SAME_BITS = 1.002  # of the bits: estimates are no better than that
FINE_ABOVE = 32.0  # dB, from where split symbols may do better than contexts,
CLEARLY = 0.99  # by so much at least
# Bits a value and dB below which a choice for more may take fewer bits.
COARSE, COARSE_BELOW = 0.25, 12.0
RUNG = 2.0  # dB: by so much
MORE_SNR = (0.25, 2.0, 5.0, 10.0)  # dB, for which a choice is made when one does not reach an SNR
FAR_MORE = 2.0  # times the bits that the sample lets expect
# Bits of a group that may be fewer for more quality; dB at which that is tried, after how many in a
# row that took no fewer it ends, and of the bits so far: estimates above are not written.
FEW_BITS = 1 << 14
LEAST_BITS = 1 << 11  # of so few, none are worth the time
RUNGS = (0.25, 0.5, 1.0, 1.5, 2.0, 2.5, *map(float, range(3, 16)), 20.0, 27.0, 35.0, 40.0, 45.0)
RUNGS_TRIED = 3
RUNG_BITS = 1.25
FAR_LESS = 0.6  # of the bytes by models: where levels take less, no higher SNR is tried
SATURATED = 1 / 200  # of the values lie at a bound that they saturate at
NEAR, MOST_NEAR = 1 / 4, 1 / 2  # deviations, and the share of values that lie so close
EDGE = 1 / 8  # of the range, how close to a bound a value is that saturates, about
RARE = 1 / 20  # of the values are zero at least, where zeros are to stay cheap

# The race of trials.
# Of the bits of a trial: more shows that trials are misjudged; so much more, that all are.
MISJUDGED, FAR_MISJUDGED = 1.5, 2.0
FITTED = 1.03  # of the bits of the best trial: what is fitted to all of a small group
DOUBT = 1.02  # of the bits of the best: what may still be better when more is seen
BEHIND = 1.15  # of the bits of the best, by what trials turned out to be: more is not fitted
DOUBTFUL = 1.2  # of the bits that are wanted: trials of few symbols are off by so much
SCARCE = 0.1  # bits a value, below which trials are judged badly
HARDLY = 0.02  # bits a value, below which a small sample shows none
# Of the bits of the best: what more of them is worth another look; how many trials get it.
CLOSE, CLOSE_SCARCE = (0.1, 3), (0.2, 5)
# Of the bits of a trial of the same mode and block: more get none. From one sample to the larger
# one, their ratios changed by up to .02 in ten dumps.
BEHIND_LIKE = 1.04
# Groups of so many values at most, in a dump of no more, are written by the choices whose estimates
# are near the best one, of its bits, and the smallest is kept; by how many others at most. In a KV
# cache of twelve groups that took a third of the time and saved .05 to .1 % of the bytes.
WRITTEN_VALUES = 1 << 18
NEAR_BITS, NEAR_FEW, OTHERS = 1.03, 1.4, 2
CONTESTED = 2.0  # between trials of a profile and without: nearer ones are both written, perhaps
SATURATION_STEPS = 4  # multiples of the step that may divide the saturation value

# So few values are not tried without a profile where an entry knows their spectrum up to so many
# bits a value at the SNR, and its axes would take such a part of the bits. From 5 to 30 dB spectra
# were up to .12 off for what eight entries were trained on, one .24 from 20 dB on, and .08 to 1.3
# for features of other layers, below .27 where they have few bits alone.
KNOWN_VALUES, KNOWN, KNOWN_AXES = 1 << 20, 0.15, 0.05
# Of so few that take less time than entries, levels are tried, too: noise took a fifth fewer bytes.
LEVELS_ANYHOW = 1 << 14
KEPT_VALUES = 1 << 20  # of groups that were written to judge them, whose races are kept: some 20 MB

# Finalists and the choice.
TRELLIS = 0.05  # bits a value, below which a trellis may not pay
KLT_CHANNELS = 1024  # beyond so many a KLT of the group's own is not tried
DEPENDENT_SCALE = 0.75  # quarter octaves that scales lie below the step's under a trellis
CORRECTED_LAMBDA = 0.06  # what the curve of the correction mends need not be prevented
CLAMP_PAYS = 0.995  # of the squared error: less must be left for clamping to be used
LEAST_LAMBDA = 0.005  # of a quantiser that can still be made stricter
MISS = 0.04  # dB between the SNR wanted and reached on the sample
SATURATION_MISS = 0.5  # the same where thresholds, not steps, make up for it

# Under a network.
PICTURE_LEVELS = (-1, 2, 5)  # qualities of pictures whose rest is coded
REST_PAYS = 0.97  # of the bits of the network alone: estimates of a rest were up to 2.4 % too low
TOKENS_PER_AXIS = 4  # at least, in a sample that a KLT is fitted to
