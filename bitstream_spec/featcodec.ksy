meta:
  id: featcodec_file
  title: featcodec file
  file-extension:
    - fcz
    - fcp
  license: Apache-2.0
  ks-version: '0.11'
  endian: le
doc: |
  The container of featcodec, format 7: files of features and profiles. Section numbers refer to
  SPEC.md, which has the rules; this describes where the fields lie. What Kaitai Struct cannot say
  is left to the reader: the CRC-32 of signature, sections and symbols; the order that INDX states
  for the sections; that fields are used up to their end; entropy decoding. How a ROWS section is
  laid out depends on the GRUP section that claims it: see the type `rows`.

  The tests read files with a parser in Python that is generated from this file: `make kaitai`.
doc-ref: SPEC.md
seq:
  - id: signature
    type: signature
  - id: sections
    type: section
    repeat: until
    repeat-until: _.type == section_type::end
    doc: All sections with INDX and END, the last two (section 2).

types:
  signature:
    doc: Section 2.
    seq:
      - id: magic
        contents: [0x89, 'FCZ', 0x0d, 0x0a, 0x1a, 0x0a]
      - id: major_version
        type: u1
        valid:
          eq: 7
      - id: minor_version
        type: u1
        doc: Any; see section 11.
      - id: kind
        type: u2
        enum: kind
        valid:
          in-enum: true
      - id: crc32
        type: u4
        doc: CRC-32 of the 12 bytes before.

  section:
    doc: Section 3.
    seq:
      - id: type
        type: u4
        enum: section_type
        doc: Four characters, here as a little-endian number.
      - id: len_payload
        type: u8
        valid:
          max: 1099511627776
      - id: payload
        size: len_payload
        type:
          switch-on: type
          cases:
            'section_type::rows': rows
            'section_type::grup': grup
            'section_type::entr': entr
            'section_type::netw': netw
            'section_type::prof': prof
            'section_type::made': made
            'section_type::indx': indx
            'section_type::end': end
            _: unknown
      - id: crc32
        type: u4
        doc: CRC-32 of type, length and payload.
    instances:
      is_critical:
        value: (type.to_i & 255) < 97 or (type.to_i & 255) > 122
        doc: The first letter is not a small one.

  unknown:
    doc: |
      Of type qual (section 4.4), or one that a later minor version added; invalid when critical
      (section 3).
    seq:
      - id: body
        size-eos: true
        valid:
          expr: not _parent.is_critical

  prof:
    doc: Section 3.1. A profile in the file that needs it, whole; read it as a file of its own.
    seq:
      - id: file
        size-eos: true
        valid:
          expr: _root.signature.kind == kind::features
        doc: A name of a type would refer to this file as its root, so it is bytes.

  made:
    doc: Section 3.1. How the file was made.
    seq:
      - id: text
        type: str
        encoding: UTF-8
        size-eos: true
        valid:
          expr: _root.signature.kind == kind::features

  end:
    doc: Section 3.
    seq:
      - id: len_file
        type: u8
        valid:
          expr: _ == _root._io.size
      - id: len_indx
        type: u8
        doc: With its frame.

  # 1. Primitives

  varint:
    doc: Section 1. Unsigned LEB128 of at most ten bytes.
    seq:
      - id: groups
        type: varint_byte(_index)
        repeat: until
        repeat-until: not _.more
    instances:
      len:
        value: groups.size
      value:
        value: >-
          groups[0].bits
          + (len > 1 ? groups[1].bits << 7 : 0)
          + (len > 2 ? groups[2].bits << 14 : 0)
          + (len > 3 ? groups[3].bits << 21 : 0)
          + (len > 4 ? groups[4].bits << 28 : 0)
          + (len > 5 ? groups[5].bits << 35 : 0)
          + (len > 6 ? groups[6].bits << 42 : 0)
          + (len > 7 ? groups[7].bits << 49 : 0)
          + (len > 8 ? groups[8].bits << 56 : 0)
          + (len > 9 ? groups[9].bits << 63 : 0)

  varint_byte:
    params:
      - id: index
        type: s4
    seq:
      - id: byte
        type: u1
        valid:
          expr: (index < 9 or _ == 1) and (index == 0 or _ != 0)
        doc: Ten bytes at most, below 2^64; the last is not zero unless it is the only one.
    instances:
      more:
        value: byte >= 128
      bits:
        value: byte & 127

  svarint:
    doc: Section 1. Zigzag.
    seq:
      - id: raw
        type: varint
    instances:
      value:
        value: '(raw.value & 1) == 1 ? -((raw.value >> 1) + 1) : raw.value >> 1'

  real:
    doc: |
      Section 1. The highest bytes of a binary64, little-endian; the others are 0. Kaitai Struct cannot
      put it together, so what limits its value is left to the reader.
    seq:
      - id: len
        type: u1
        valid:
          max: 8
      - id: body
        size: len

  blob:
    seq:
      - id: len
        type: varint
      - id: body
        size: len.value

  string:
    seq:
      - id: len
        type: varint
      - id: text
        type: str
        encoding: UTF-8
        size: len.value
        valid:
          expr: len.value <= 65536
        doc: The limit is that of section 10.

  layout:
    doc: Section 5.1. The limit is that of section 10.
    seq:
      - id: len
        type: varint
      - id: text
        type: str
        encoding: UTF-8
        size: len.value
        valid:
          expr: len.value <= 16
        doc: All letters are of one byte.

  # 4. INDX

  indx:
    doc: Section 4.1.
    seq:
      - id: len_index
        type: varint
        valid:
          expr: _.value <= 1073741824
        doc: Bytes of the index, unpacked.
      - id: index
        size-eos: true
        process: zlib
        type: index

  index:
    seq:
      - id: has_metadata
        type: u1
        valid:
          max: 1
      - id: num_metadata
        type: varint
        if: has_metadata == 1
        valid:
          expr: 5 * _.value <= 100000000
        doc: The bytes are those that they take in the header of the dump (10.1), at least.
      - id: metadata
        type: metadatum
        repeat: expr
        repeat-expr: num_metadata.value
        if: has_metadata == 1
      - id: num_profiles
        type: varint
        valid:
          expr: 16 * _.value <= _root._io.size
      - id: profiles
        size: 32
        repeat: expr
        repeat-expr: num_profiles.value
        doc: SHA-256 of each profile that the file needs.
      - id: num_tensors
        type: varint
        valid:
          expr: 49 * _.value <= 100000000
        doc: The bytes are those that they take in the header of the dump (10.1), at least.
      - id: len_shared
        type: varint
        repeat: expr
        repeat-expr: num_tensors.value
        doc: Bytes that each name shares with the start of the one before it.
      - id: len_rests
        type: varint
        repeat: expr
        repeat-expr: num_tensors.value
        valid:
          expr: _.value + len_shared[_index].value <= 65536
      - id: rests
        size: len_rests[_index].value
        repeat: expr
        repeat-expr: num_tensors.value
      - id: dtypes
        type: u1
        enum: dtype
        repeat: expr
        repeat-expr: num_tensors.value
        valid:
          in-enum: true
      - id: ranks
        type: u1
        repeat: expr
        repeat-expr: num_tensors.value
        valid:
          max: 16
      - id: axes
        type: axis(_index)
        repeat: expr
        repeat-expr: 16
        doc: Shapes, axis by axis.
      - id: groups
        type: varint
        repeat: expr
        repeat-expr: num_tensors.value
        doc: The GRUP section of each tensor, counted from 0.
      - id: num_sections
        type: varint
        valid:
          expr: 16 * _.value <= _root._io.size
      - id: section_types
        type: u4
        enum: section_type
        repeat: expr
        repeat-expr: num_sections.value
      - id: len_sections
        type: varint
        repeat: expr
        repeat-expr: num_sections.value
        valid:
          expr: _.value >= 16
        doc: With the 16 bytes of frame.
      - id: cuts
        type: cuts
        if: not _io.eof

  cuts:
    doc: Section 4.3.
    seq:
      - id: num_cuts
        type: varint
        valid:
          expr: _.value >= 1 and _.value <= _parent.num_tensors.value
      - id: cuts
        type: cut
        repeat: expr
        repeat-expr: num_cuts.value

  cut:
    seq:
      - id: tensor
        type: varint
        valid:
          expr: _.value < _parent._parent.num_tensors.value
      - id: axes
        type: 'cut_axis(tensor.value, _index, _index == 0 ? 1 : axes[_index - 1].parts)'
        repeat: expr
        repeat-expr: _parent._parent.ranks[tensor.value]
      - id: groups
        type: varint
        repeat: expr
        repeat-expr: axes[axes.size - 1].parts - 1
        doc: The GRUP section of each part but the first, counted from 0.

  cut_axis:
    doc: How one axis of a tensor is cut.
    params:
      - id: tensor
        type: u8
      - id: number
        type: s4
      - id: before
        type: u8
        doc: Parts by the axes before.
    seq:
      - id: num_parts
        type: varint
      - id: lengths
        type: varint
        repeat: expr
        repeat-expr: num_parts.value
        if: num_parts.value >= 2
        valid:
          expr: _.value >= 1
    instances:
      length:
        value: _parent._parent._parent.axes[number].lengths[tensor].length.value
      along:
        value: >-
          num_parts.value == 0 ? 1 : (num_parts.value == 1 ? length : num_parts.value)
      parts:
        value: before * along

  metadatum:
    seq:
      - id: key
        type: string
      - id: value
        type: blob
        doc: UTF-8.

  axis:
    params:
      - id: number
        type: s4
    seq:
      - id: lengths
        type: axis_length(number, _index)
        repeat: expr
        repeat-expr: _parent.num_tensors.value

  axis_length:
    doc: The length of this axis in one tensor, when the tensor has it.
    params:
      - id: axis
        type: s4
      - id: tensor
        type: s4
    seq:
      - id: length
        type: varint
        if: _parent._parent.ranks[tensor] > axis

  # 5. GRUP

  grup:
    doc: Section 5.
    seq:
      - id: coding
        type: u1
        enum: coding
        valid:
          in-enum: true
      - id: dtype
        type: u1
        enum: dtype
        valid:
          in-enum: true
      - id: flags
        type: varint
        valid:
          expr: |
            _.value < 4096
            and (coding != coding::exact or _.value < 2)
            and (coding != coding::network or (_.value & 4065) == 0)
            and (_.value & 258) != 258 and (_.value & 2050) != 2050 and (_.value & 2049) != 2049
            and ((_.value & 1536) == 0 or ((_.value & 1536) != 1024 and (_.value & 510) == 8))
        doc: |
          Bit 0, rows that repeat earlier ones; bit 1, a task SNR; bit 2, values are clamped to the
          bounds; bit 3, double precision; bit 4, dependent quantisation, sections 7.10 and 7.14;
          bit 5, a correction curve; bit 6, constant channels; bit 7, gains of tokens; bit 8, gains of
          tensors or samples; bit 9, refinements, and bit 10, of logarithms; bit 11, stacks.
      - id: num_slabs
        type: varint
      - id: slabs_per_row_group
        type: varint
        valid:
          expr: >-
            _.value > 0 and (_.value <= 134217728 or num_slabs.value <= 134217728)
            and 16 * ((num_slabs.value + _.value - 1) / _.value) <= _root._io.size
        doc: At most 2^27 in a row group, of which each is a section (section 10).
      - id: first_section
        type: varint
        doc: Position of its first ROWS section among the sections.
      - id: snr
        type: real
        doc: In dB; infinite when nothing was lost.
      - id: max_error
        type: real
        doc: NaN when it was not measured.
      - id: task_snr
        type: real
        if: (flags.value & 2) != 0
        doc: In dB.
      - id: layout
        type: layout
        if: coding != coding::exact or has_repeats
      - id: repeats
        type: sized_repeats
        if: has_repeats
      - id: stacks
        type: stacks
        if: (flags.value & 2048) != 0
      - id: lossy
        type: lossy
        if: coding != coding::exact
    instances:
      has_repeats:
        value: (flags.value & 1) != 0
      num_row_groups:
        value: (num_slabs.value + slabs_per_row_group.value - 1) / slabs_per_row_group.value

  stacks:
    doc: Section 5.1.
    seq:
      - id: num_tensors
        type: varint
        valid:
          expr: _.value > 1
      - id: distance
        type: varint
        valid:
          expr: _.value > 0

  slices:
    doc: Section 6.9.
    seq:
      - id: per_sample
        type: u1
        valid:
          max: 1
      - id: num_runs
        type: varint
        valid:
          expr: _.value > 0
      - id: gains
        type: integers

  sized_repeats:
    seq:
      - id: len
        type: varint
      - id: body
        type: packed_repeats
        size: len.value

  packed_repeats:
    seq:
      - id: len_unpacked
        type: varint
        valid:
          expr: _.value <= 31457291
      - id: repeats
        size-eos: true
        process: zlib
        type: repeats

  repeats:
    doc: Section 5.4, rows that repeat earlier ones. The limit is that of section 10.
    seq:
      - id: whole
        type: u1
        valid:
          max: 1
        doc: 1, a row is a sample.
      - id: num_runs
        type: varint
        valid:
          expr: _.value > 0 and _.value <= 1048576
      - id: num_new
        type: varint
        repeat: expr
        repeat-expr: num_runs.value
      - id: num_repeated
        type: varint
        repeat: expr
        repeat-expr: num_runs.value
        valid:
          expr: _.value > 0
      - id: distances
        type: varint
        repeat: expr
        repeat-expr: num_runs.value
        doc: 0, the rows are constant. For each such run its constant follows, up to the end.
      - id: constants
        type: varint
        repeat: eos

  lossy:
    doc: |
      Section 5, with coding 1 or 2. With coding 2 there is a profile, and neither prefix tokens nor
      a grid behind them.
    seq:
      - id: architecture
        type: u1
        enum: architecture
        valid:
          in-enum: true
      - id: num_prefix
        type: varint
      - id: grid
        type: grid
      - id: lower
        type: real
      - id: upper
        type: real
      - id: num_exceptions
        type: varint
      - id: mean
        type: real
      - id: deviation
        type: real
      - id: step
        type: real
        doc: In units of the deviation.
      - id: step_scale
        type: svarint
      - id: curve
        type: curve
        if: (_parent.flags.value & 32) != 0
      - id: constants
        type: constants
        if: (_parent.flags.value & 64) != 0
      - id: slices
        type: slices
        if: (_parent.flags.value & 256) != 0
      - id: profile
        type: varint
        doc: 0, none; else 1 + its position in the index.
      - id: parts
        type: part
        repeat: expr
        repeat-expr: 'num_prefix.value > 0 ? 2 : 1'
        valid:
          expr: >-
            (_parent.flags.value & 16) == 0 or _.kind != part_kind::own
            or (_.body.as<sized_model>.model.transform != transform::predicted
            and _.body.as<sized_model>.model.transform != transform::split
            and _.body.as<sized_model>.model.transform != transform::interpolated)
        doc: Not these with dependent quantisation.
      - id: picture_step
        type: svarint
        if: _parent.coding == coding::network
        doc: Eighths of an octave, -256 to 256.

  constants:
    doc: Section 5, constant channels.
    seq:
      - id: num_channels
        type: varint
        valid:
          expr: _.value > 0 and _.value <= 65536
      - id: channels
        type: varint
        repeat: expr
        repeat-expr: num_channels.value
      - id: elements
        type: varint
        repeat: expr
        repeat-expr: num_channels.value

  curve:
    doc: Section 6.6.
    seq:
      - id: width
        type: real
      - id: knots
        type: s1
        repeat: expr
        repeat-expr: 24

  grid:
    doc: Rank and lengths of the grid behind the prefix tokens.
    seq:
      - id: rank
        type: u1
        valid:
          max: 16
      - id: lengths
        type: varint
        repeat: expr
        repeat-expr: rank

  part:
    doc: Section 5.
    seq:
      - id: kind
        type: u1
        enum: part_kind
        valid:
          in-enum: true
      - id: body
        type:
          switch-on: kind
          cases:
            'part_kind::own': sized_model
            'part_kind::entry': of_entry

  sized_model:
    seq:
      - id: len
        type: varint
      - id: model
        type: model
        size: len.value

  of_entry:
    doc: The model is that of an entry of the profile, with changes.
    seq:
      - id: transform
        type: u1
        enum: transform
        valid:
          any-of:
            - transform::none
            - transform::linear
            - transform::banded
            - transform::weighted
            - transform::low_rank
            - transform::context_shared
      - id: entry
        type: varint
      - id: scales
        type: scales
      - id: tables
        type: tables

  # 6. Models

  model:
    doc: Section 6.
    seq:
      - id: transform
        type: u1
        enum: transform
        valid:
          expr: >-
            _ == transform::none or _ == transform::linear or _ == transform::banded
            or _ == transform::weighted or _ == transform::low_rank
            or _ == transform::context_shared
            or (_root.signature.kind == kind::features
            and (_ == transform::predicted or _ == transform::split or _ == transform::context
            or _ == transform::context_means or _ == transform::interpolated
            or _ == transform::layered))
        doc: Those behind `kind` must not stand in a profile.
      - id: longest_block
        type: grid
        doc: Number of grid axes, and the longest block on each.
      - id: num_reflectors
        type: varint
      - id: centre_exponent
        type: u1
        valid:
          expr: >-
            ((transform != transform::context and transform != transform::context_means
            and transform != transform::context_shared and transform != transform::interpolated)
            or (longest_block.rank >= 1 and longest_block.rank <= 3
            and num_reflectors.value == 0))
            and ((transform != transform::predicted and transform != transform::split
            and transform != transform::layered) or num_reflectors.value == 0)
        doc: |
          Any; what is checked here are rules for transforms of the sample domain.
      - id: scale_unit
        type: u1
      - id: num_bands
        type: varint
        if: transform == transform::banded
        valid:
          expr: _.value >= 2 and _.value <= 16
      - id: bands
        type: integers
        if: transform == transform::banded
        doc: |
          The band of each place of the longest block: from 0 to the number of bands less 1, each
          of which occurs.
      - id: metric
        type: metric
        if: transform == transform::weighted
      - id: layers
        type: layers
        if: transform == transform::layered
      - id: len_prediction
        type: varint
        if: transform == transform::predicted
      - id: prediction
        type: prediction
        size: len_prediction.value
        if: transform == transform::predicted
      - id: peak
        type: varint
        if: transform == transform::split
        valid:
          expr: _.value <= 1048576
        doc: Magnitude that values at the bound count as, 0 when they have no kind of their own.
      - id: offsets
        type: integers
        if: >-
          transform == transform::context or transform == transform::context_means
          or transform == transform::context_shared
        doc: The 48 offsets of section 7.13, or the 144 of section 7.14.
      - id: own_tables
        type: own_tables
        if: >-
          transform == transform::context or transform == transform::context_means
          or transform == transform::context_shared
      - id: means
        type: integers
        if: transform == transform::context_means
        doc: Section 7.18; one for each channel, and sixteen.
      - id: len_mean_table
        type: varint
        if: transform == transform::context_means
      - id: mean_table
        type: table
        size: len_mean_table.value
        if: transform == transform::context_means
      - id: len_interpolation
        type: varint
        if: transform == transform::interpolated
      - id: interpolation
        type: interpolation
        size: len_interpolation.value
        if: transform == transform::interpolated
      - id: centres
        type: integers
      - id: reflectors
        type: integers
        if: transform != transform::low_rank
        valid:
          expr: transform != transform::layered or _.len.value == 0
      - id: runs_of_reflectors
        type: runs_of_reflectors
        if: transform == transform::low_rank
      - id: scales
        type: scales
        valid:
          expr: transform != transform::interpolated or _.len.value == 0
      - id: tables
        type: tables
        valid:
          expr: >-
            (transform != transform::context and transform != transform::context_means
            and transform != transform::context_shared and transform != transform::interpolated)
            or _.len.value == 0

  runs_of_reflectors:
    doc: Section 6.2.
    seq:
      - id: len
        type: varint
      - id: body
        type: runs_body
        size: len.value
        if: len.value > 0

  runs_body:
    seq:
      - id: runs
        type: run_of_reflectors
        repeat: eos

  run_of_reflectors:
    seq:
      - id: num_reflectors
        type: varint
        valid:
          expr: _.value >= 1
      - id: reflectors
        type: integers

  layers:
    doc: Section 6.10.
    seq:
      - id: num_layers
        type: varint
        valid:
          expr: _.value >= 2 and _.value <= 256
      - id: mixing
        type: integers
      - id: nums_reflectors
        type: varint
        repeat: expr
        repeat-expr: num_layers.value
      - id: bases
        type: runs_of_reflectors
        repeat: expr
        repeat-expr: num_layers.value

  metric:
    doc: Section 6.7.
    seq:
      - id: task
        type: string
      - id: recommended
        type: real
        doc: Task SNR in dB, 0 for none.
      - id: num_bands
        type: varint
        valid:
          expr: _.value >= 1 and _.value <= 16
      - id: bands
        type: integers
        doc: As with transform `banded`.
      - id: weights
        type: integers
        doc: Of each band and channel, then of each place; eighths of an octave, -256 to 256.

  prediction:
    doc: Section 7.11.
    seq:
      - id: neighbours
        type: integers
      - id: precision
        type: u1
      - id: octaves
        type: integers
      - id: rows
        type: integers

  interpolation:
    doc: Section 7.16.
    seq:
      - id: axis
        type: u1
        valid:
          max: 1
      - id: groups
        type: integers
      - id: near
        type: integers
      - id: near_constants
        type: integers
      - id: across
        type: integers
      - id: spread
        type: integers
      - id: spread_constants
        type: integers
      - id: spread_across
        type: integers
      - id: slopes
        type: integers
      - id: zeros
        type: integers
      - id: offsets
        type: integers

  scales:
    doc: Section 6.4.
    seq:
      - id: len
        type: varint
      - id: body
        type: scales_body
        size: len.value
        if: len.value > 0

  scales_body:
    seq:
      - id: of_channels
        type: integers
      - id: of_places
        type: integers
      - id: of_channels_and_places
        type: integers

  # 7. Entropy coding

  table:
    doc: Section 7.1.
    seq:
      - id: magnitude
        type: u1
        valid:
          max: 127
      - id: shift
        type: u1
        valid:
          max: 24
      - id: zero
        type: u1
      - id: positive
        type: u1
      - id: first
        type: u1
      - id: further
        type: u1
      - id: num_hazards
        type: u1
        valid:
          expr: _ > 0 or magnitude <= 1
      - id: hazards
        type: u1
        repeat: expr
        repeat-expr: num_hazards

  tables:
    doc: Section 7.3.
    seq:
      - id: len
        type: varint
      - id: body
        type: tables_body
        size: len.value

  tables_body:
    seq:
      - id: tables
        type: numbered_table
        repeat: eos

  own_tables:
    doc: Section 7.15; empty when there are none.
    seq:
      - id: len
        type: varint
      - id: body
        type: packed_tables
        size: len.value
        if: len.value > 0

  packed_tables:
    seq:
      - id: len_unpacked
        type: varint
        valid:
          expr: _.value <= 1048576
      - id: body
        size-eos: true
        process: zlib
        type: wide_tables

  wide_tables:
    seq:
      - id: tables
        type: wide_numbered_table
        repeat: eos

  wide_numbered_table:
    seq:
      - id: number
        type: varint
        valid:
          expr: _.value < 2340
      - id: table
        type: table

  numbered_table:
    seq:
      - id: number
        type: u1
      - id: table
        type: table

  integers:
    doc: Section 7.5; empty when all are 0.
    seq:
      - id: len
        type: varint
      - id: body
        type: integers_body
        size: len.value
        if: len.value > 0

  integers_body:
    seq:
      - id: plain
        type: plain_integers
        if: is_plain
      - id: table
        type: table
        if: not is_plain
      - id: symbols
        type: coded_symbols
        if: not is_plain
    instances:
      magnitude:
        pos: 0
        type: u1
      is_plain:
        value: magnitude == 128

  plain_integers:
    seq:
      - id: code
        type: u1
      - id: integers
        type: svarint
        repeat: eos

  coded_symbols:
    doc: Section 7.5, to the end of the field.
    seq:
      - id: len_escapes
        type: varint
      - id: escapes
        size: len_escapes.value
        type: escapes
      - id: crc32
        type: u4
        doc: Of all symbols that were coded, as 32-bit integers, from the seed.
      - id: words
        type: u4
        repeat: eos

  escapes:
    seq:
      - id: magnitudes
        type: varint
        repeat: eos

  exceptions:
    doc: Section 7.6.
    seq:
      - id: len
        type: varint
      - id: body
        type: exceptions_body
        size: len.value
        if: len.value > 0

  exceptions_body:
    seq:
      - id: len_list
        type: varint
      - id: list
        type: exception_list
        size-eos: true
        process: zlib

  exception_list:
    seq:
      - id: num
        type: varint
      - id: gaps
        type: varint
        repeat: expr
        repeat-expr: num.value
      - id: elements
        size-eos: true
        doc: As many elements, as stored in the dump.

  # 7.7, 7.8 and 8. ROWS

  rows:
    doc: |
      A row group. Its layout is that of the coding of the GRUP section that claims it, for which
      the reader looks at `first_section` and `num_row_groups` of all: `lossy`, `network` or `exact`.
      With bit 7 of `flags` it is `gains`, with bit 9 `refined`.
    instances:
      lossy:
        pos: 0
        type: rows_lossy
        size-eos: true
      gains:
        pos: 0
        type: rows_gains
        size-eos: true
      network:
        pos: 0
        type: rows_network
        size-eos: true
      exact:
        pos: 0
        type: rows_exact
        size-eos: true
      refined:
        pos: 0
        type: rows_refined
        size-eos: true

  rows_lossy:
    doc: Section 7.7.
    seq:
      - id: fine_step
        type: u1
      - id: exceptions
        type: exceptions
      - id: symbols
        type: coded_symbols

  rows_gains:
    doc: Section 7.7, in a group whose flags have bit 7.
    seq:
      - id: fine_step
        type: u1
      - id: exceptions
        type: exceptions
      - id: gains
        type: sized_integers
        doc: Section 6.8.
      - id: symbols
        type: coded_symbols

  sized_integers:
    seq:
      - id: len
        type: varint
      - id: body
        size: len.value

  rows_refined:
    doc: Section 7.17.
    seq:
      - id: fine_step
        type: u1
        valid: 128
      - id: exceptions
        type: exceptions
      - id: refinement
        type: sized_refinement
      - id: symbols
        type: coded_symbols

  sized_refinement:
    seq:
      - id: len
        type: varint
      - id: body
        type: refinement
        size: len.value

  refinement:
    doc: Section 7.17.
    seq:
      - id: len_small
        type: varint
      - id: small
        size: len_small.value
        doc: Elements below a step, as `rows_exact`; none when there are none.
      - id: low_bits
        size-eos: true
        doc: For each place a byte, 0 or 1, and with 0 the bits at that place.

  rows_network:
    doc: Section 7.8. A row group without values has no picture, and is laid out as `rows_lossy`.
    seq:
      - id: fine_step
        type: u1
      - id: exceptions
        type: exceptions
      - id: hyper_latents
        type: sized_symbols
        doc: Section 9.4.
      - id: latents
        type: sized_symbols
      - id: symbols
        type: coded_symbols

  sized_symbols:
    seq:
      - id: len
        type: varint
      - id: body
        type: coded_symbols
        size: len.value

  rows_exact:
    doc: Section 8.
    seq:
      - id: crc32
        type: u4
        doc: Of the elements, not rotated.
      - id: planes
        size-eos: true
        doc: |
          One `plane` for each byte of an element; raw ones have a byte for each element. When the
          first byte is 3, `bins` behind it, when it is 4, a zlib stream of the elements. When the
          first byte is 5, `swaps` behind it, and then all this as without them.

  swaps:
    doc: Section 8.2.
    seq:
      - id: distance
        type: varint
        valid:
          expr: _.value > 0
      - id: phase
        type: varint
      - id: num_channels
        type: varint
        valid:
          expr: _.value > 0 and _.value <= 65536 and phase.value < distance.value * _.value
      - id: len_numbers
        type: varint
      - id: numbers
        size: len_numbers.value

  plane:
    doc: Section 8.
    params:
      - id: num_elements
        type: u8
    seq:
      - id: kind
        type: u1
        enum: plane_kind
        valid:
          in-enum: true
      - id: raw
        size: num_elements
        if: kind == plane_kind::raw
      - id: constant
        type: u1
        if: kind == plane_kind::constant
      - id: coded
        type: coded_plane
        if: kind == plane_kind::coded

  coded_plane:
    seq:
      - id: len_levels
        type: varint
      - id: levels
        type: levels
        size: len_levels.value
        process: zlib
      - id: len_words
        type: varint
      - id: words
        size: len_words.value
        doc: Words of the coder (section 7.4), four bytes each.

  levels:
    seq:
      - id: levels
        type: u2
        repeat: expr
        repeat-expr: 256

  bins:
    doc: Section 8.1.
    params:
      - id: len_element
        type: u8
      - id: num_elements
        type: u8
    seq:
      - id: len_model
        type: varint
      - id: model
        type: bin_model(len_element, num_elements)
        size: len_model.value
        process: zlib
      - id: len_words
        type: varint
      - id: words
        size: len_words.value
        doc: Words of the coder (section 7.4), four bytes each.
      - id: low_bits
        size-eos: true

  bin_model:
    doc: Section 8.1.
    params:
      - id: len_element
        type: u8
      - id: num_elements
        type: u8
    seq:
      - id: shift
        type: u1
      - id: num_low_bits
        type: u1
      - id: num_prefixes
        type: u2
      - id: num_values
        type: u2
      - id: num_tables
        type: u2
        valid:
          min: 1
          max: 256
      - id: width
        type: u4
      - id: num_channels
        type: u4
        valid:
          min: 1
          max: 65536
      - id: num_kinds_of_places
        type: u1
        valid:
          min: 1
      - id: num_kinds_of_channels
        type: u1
        valid:
          expr: _ != 0 and _ * num_kinds_of_places <= 64
      - id: prefixes
        size: len_element
        repeat: expr
        repeat-expr: num_prefixes
        doc: Unsigned integers; the first, then the distances.
      - id: values
        size: len_element
        repeat: expr
        repeat-expr: num_values
      - id: grades
        size: num_prefixes + num_values
      - id: kinds_of_places
        size: (num_elements + num_channels - 1) / num_channels
        if: num_kinds_of_places > 1
      - id: kinds_of_channels
        size: num_channels
        if: num_kinds_of_channels > 1
      - id: map
        size: 62
        repeat: expr
        repeat-expr: 2 * num_kinds_of_places * num_kinds_of_channels
      - id: codes
        size: num_prefixes + num_values
        repeat: expr
        repeat-expr: num_tables
        doc: Of the levels of each table.

  # 9. Profiles

  entr:
    doc: Section 9.
    seq:
      - id: name
        type: string
      - id: architecture
        type: u1
        enum: architecture
        valid:
          in-enum: true
      - id: layout
        type: layout
      - id: num_prefix
        type: varint
      - id: grid
        type: grid
      - id: is_prefix
        type: u1
        valid:
          max: 1
        doc: 1, the model of the prefix tokens; 0, that of the grid.
      - id: num_channels
        type: varint
        valid:
          expr: _.value <= 65536
      - id: num_values
        type: varint
        doc: Values it was trained on.
      - id: mean
        type: real
      - id: deviation
        type: real
      - id: lower
        type: real
      - id: upper
        type: real
      - id: model
        type: model
        size-eos: true

  netw:
    doc: Section 9.2.
    seq:
      - id: network
        type: safetensors

  safetensors:
    seq:
      - id: len_header
        type: u8
        valid:
          max: 1048576
      - id: header
        type: str
        encoding: UTF-8
        size: len_header
        doc: JSON; for each tensor its type, its shape, and begin and end in the data.
      - id: data
        size-eos: true

enums:
  section_type:
    0x53574f52: rows
    0x50555247: grup
    0x52544e45: entr
    0x5754454e: netw
    0x666f7270: prof
    0x6564616d: made
    0x58444e49: indx
    0x20444e45: end
  kind:
    0: features
    1: profile
  coding:
    0: exact
    1: lossy
    2: network
  architecture:
    0: generic
    1: cnn
    2: transformer
  part_kind:
    0: own
    1: entry
  transform:
    0: none
    1: linear
    2: banded
    3: weighted
    4: low_rank
    5: layered
    6: context
    7: context_means
    8: interpolated
    9: predicted
    10: split
    11: context_shared
  plane_kind:
    0: raw
    1: constant
    2: coded
  dtype:
    0: bool
    1: u8
    2: i8
    3: u16
    4: i16
    5: u32
    6: i32
    7: u64
    8: i64
    9: f8_e5m2
    10: f8_e4m3
    11: f16
    12: bf16
    13: f32
    14: f64
    15: c64
    16: f8_e8m0
    17: f8_e4m3fnuz
    18: f8_e5m2fnuz
    19: f6_e2m3
    20: f6_e3m2
    21: f4
