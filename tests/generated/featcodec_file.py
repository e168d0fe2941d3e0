# This is a generated file! Please edit source .ksy file and use kaitai-struct-compiler to rebuild
# type: ignore

import kaitaistruct
from kaitaistruct import KaitaiStruct, KaitaiStream, BytesIO
from enum import IntEnum
import zlib


if getattr(kaitaistruct, 'API_VERSION', (0, 9)) < (0, 11):
    raise Exception("Incompatible Kaitai Struct Python API: 0.11 or later is required, but you have %s" % (kaitaistruct.__version__))

class FeatcodecFile(KaitaiStruct):
    """The container of featcodec, format 7: files of features and profiles. Section numbers refer to
    SPEC.md, which has the rules; this describes where the fields lie. What Kaitai Struct cannot say
    is left to the reader: the CRC-32 of signature, sections and symbols; the order that INDX states
    for the sections; that fields are used up to their end; entropy decoding. How a ROWS section is
    laid out depends on the GRUP section that claims it: see the type `rows`.
    
    The tests read files with a parser in Python that is generated from this file: `make kaitai`.
    
    .. seealso::
       SPEC.md
    """

    class Architecture(IntEnum):
        generic = 0
        cnn = 1
        transformer = 2

    class Coding(IntEnum):
        exact = 0
        lossy = 1
        network = 2

    class Dtype(IntEnum):
        bool = 0
        u8 = 1
        i8 = 2
        u16 = 3
        i16 = 4
        u32 = 5
        i32 = 6
        u64 = 7
        i64 = 8
        f8_e5m2 = 9
        f8_e4m3 = 10
        f16 = 11
        bf16 = 12
        f32 = 13
        f64 = 14
        c64 = 15
        f8_e8m0 = 16
        f8_e4m3fnuz = 17
        f8_e5m2fnuz = 18
        f6_e2m3 = 19
        f6_e3m2 = 20
        f4 = 21

    class Kind(IntEnum):
        features = 0
        profile = 1

    class PartKind(IntEnum):
        own = 0
        entry = 1

    class PlaneKind(IntEnum):
        raw = 0
        constant = 1
        coded = 2

    class SectionType(IntEnum):
        end = 541347397
        grup = 1347768903
        entr = 1381256773
        rows = 1398230866
        netw = 1465140558
        indx = 1480871497
        made = 1701077357
        prof = 1718579824

    class Transform(IntEnum):
        none = 0
        linear = 1
        banded = 2
        weighted = 3
        low_rank = 4
        layered = 5
        context = 6
        context_means = 7
        interpolated = 8
        predicted = 9
        split = 10
        context_shared = 11
    def __init__(self, _io, _parent=None, _root=None):
        super(FeatcodecFile, self).__init__(_io)
        self._parent = _parent
        self._root = _root or self
        self._read()

    def _read(self):
        self.signature = FeatcodecFile.Signature(self._io, self, self._root)
        self.sections = []
        i = 0
        while True:
            _ = FeatcodecFile.Section(self._io, self, self._root)
            self.sections.append(_)
            if _.type == FeatcodecFile.SectionType.end:
                break
            i += 1


    def _fetch_instances(self):
        pass
        self.signature._fetch_instances()
        for i in range(len(self.sections)):
            pass
            self.sections[i]._fetch_instances()


    class Axis(KaitaiStruct):
        def __init__(self, number, _io, _parent=None, _root=None):
            super(FeatcodecFile.Axis, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.number = number
            self._read()

        def _read(self):
            self.lengths = []
            for i in range(self._parent.num_tensors.value):
                self.lengths.append(FeatcodecFile.AxisLength(self.number, i, self._io, self, self._root))



        def _fetch_instances(self):
            pass
            for i in range(len(self.lengths)):
                pass
                self.lengths[i]._fetch_instances()



    class AxisLength(KaitaiStruct):
        """The length of this axis in one tensor, when the tensor has it."""
        def __init__(self, axis, tensor, _io, _parent=None, _root=None):
            super(FeatcodecFile.AxisLength, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.axis = axis
            self.tensor = tensor
            self._read()

        def _read(self):
            if self._parent._parent.ranks[self.tensor] > self.axis:
                pass
                self.length = FeatcodecFile.Varint(self._io, self, self._root)



        def _fetch_instances(self):
            pass
            if self._parent._parent.ranks[self.tensor] > self.axis:
                pass
                self.length._fetch_instances()



    class BinModel(KaitaiStruct):
        """Section 8.1."""
        def __init__(self, len_element, num_elements, _io, _parent=None, _root=None):
            super(FeatcodecFile.BinModel, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.len_element = len_element
            self.num_elements = num_elements
            self._read()

        def _read(self):
            self.shift = self._io.read_u1()
            self.num_low_bits = self._io.read_u1()
            self.num_prefixes = self._io.read_u2le()
            self.num_values = self._io.read_u2le()
            self.num_tables = self._io.read_u2le()
            if not self.num_tables >= 1:
                raise kaitaistruct.ValidationLessThanError(1, self.num_tables, self._io, u"/types/bin_model/seq/4")
            if not self.num_tables <= 256:
                raise kaitaistruct.ValidationGreaterThanError(256, self.num_tables, self._io, u"/types/bin_model/seq/4")
            self.width = self._io.read_u4le()
            self.num_channels = self._io.read_u4le()
            if not self.num_channels >= 1:
                raise kaitaistruct.ValidationLessThanError(1, self.num_channels, self._io, u"/types/bin_model/seq/6")
            if not self.num_channels <= 65536:
                raise kaitaistruct.ValidationGreaterThanError(65536, self.num_channels, self._io, u"/types/bin_model/seq/6")
            self.num_kinds_of_places = self._io.read_u1()
            if not self.num_kinds_of_places >= 1:
                raise kaitaistruct.ValidationLessThanError(1, self.num_kinds_of_places, self._io, u"/types/bin_model/seq/7")
            self.num_kinds_of_channels = self._io.read_u1()
            _ = self.num_kinds_of_channels
            if not  ((_ != 0) and (_ * self.num_kinds_of_places <= 64)) :
                raise kaitaistruct.ValidationExprError(self.num_kinds_of_channels, self._io, u"/types/bin_model/seq/8")
            self.prefixes = []
            for i in range(self.num_prefixes):
                self.prefixes.append(self._io.read_bytes(self.len_element))

            self.values = []
            for i in range(self.num_values):
                self.values.append(self._io.read_bytes(self.len_element))

            self.grades = self._io.read_bytes(self.num_prefixes + self.num_values)
            if self.num_kinds_of_places > 1:
                pass
                self.kinds_of_places = self._io.read_bytes(((self.num_elements + self.num_channels) - 1) // self.num_channels)

            if self.num_kinds_of_channels > 1:
                pass
                self.kinds_of_channels = self._io.read_bytes(self.num_channels)

            self.map = []
            for i in range((2 * self.num_kinds_of_places) * self.num_kinds_of_channels):
                self.map.append(self._io.read_bytes(62))

            self.codes = []
            for i in range(self.num_tables):
                self.codes.append(self._io.read_bytes(self.num_prefixes + self.num_values))



        def _fetch_instances(self):
            pass
            for i in range(len(self.prefixes)):
                pass

            for i in range(len(self.values)):
                pass

            if self.num_kinds_of_places > 1:
                pass

            if self.num_kinds_of_channels > 1:
                pass

            for i in range(len(self.map)):
                pass

            for i in range(len(self.codes)):
                pass



    class Bins(KaitaiStruct):
        """Section 8.1."""
        def __init__(self, len_element, num_elements, _io, _parent=None, _root=None):
            super(FeatcodecFile.Bins, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.len_element = len_element
            self.num_elements = num_elements
            self._read()

        def _read(self):
            self.len_model = FeatcodecFile.Varint(self._io, self, self._root)
            self._raw__raw_model = self._io.read_bytes(self.len_model.value)
            self._raw_model = zlib.decompress(self._raw__raw_model)
            _io__raw_model = KaitaiStream(BytesIO(self._raw_model))
            self.model = FeatcodecFile.BinModel(self.len_element, self.num_elements, _io__raw_model, self, self._root)
            self.len_words = FeatcodecFile.Varint(self._io, self, self._root)
            self.words = self._io.read_bytes(self.len_words.value)
            self.low_bits = self._io.read_bytes_full()


        def _fetch_instances(self):
            pass
            self.len_model._fetch_instances()
            self.model._fetch_instances()
            self.len_words._fetch_instances()


    class Blob(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Blob, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len = FeatcodecFile.Varint(self._io, self, self._root)
            self.body = self._io.read_bytes(self.len.value)


        def _fetch_instances(self):
            pass
            self.len._fetch_instances()


    class CodedPlane(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.CodedPlane, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len_levels = FeatcodecFile.Varint(self._io, self, self._root)
            self._raw__raw_levels = self._io.read_bytes(self.len_levels.value)
            self._raw_levels = zlib.decompress(self._raw__raw_levels)
            _io__raw_levels = KaitaiStream(BytesIO(self._raw_levels))
            self.levels = FeatcodecFile.Levels(_io__raw_levels, self, self._root)
            self.len_words = FeatcodecFile.Varint(self._io, self, self._root)
            self.words = self._io.read_bytes(self.len_words.value)


        def _fetch_instances(self):
            pass
            self.len_levels._fetch_instances()
            self.levels._fetch_instances()
            self.len_words._fetch_instances()


    class CodedSymbols(KaitaiStruct):
        """Section 7.5, to the end of the field."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.CodedSymbols, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len_escapes = FeatcodecFile.Varint(self._io, self, self._root)
            self._raw_escapes = self._io.read_bytes(self.len_escapes.value)
            _io__raw_escapes = KaitaiStream(BytesIO(self._raw_escapes))
            self.escapes = FeatcodecFile.Escapes(_io__raw_escapes, self, self._root)
            self.crc32 = self._io.read_u4le()
            self.words = []
            i = 0
            while not self._io.is_eof():
                self.words.append(self._io.read_u4le())
                i += 1



        def _fetch_instances(self):
            pass
            self.len_escapes._fetch_instances()
            self.escapes._fetch_instances()
            for i in range(len(self.words)):
                pass



    class Constants(KaitaiStruct):
        """Section 5, constant channels."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Constants, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.num_channels = FeatcodecFile.Varint(self._io, self, self._root)
            _ = self.num_channels
            if not  ((_.value > 0) and (_.value <= 65536)) :
                raise kaitaistruct.ValidationExprError(self.num_channels, self._io, u"/types/constants/seq/0")
            self.channels = []
            for i in range(self.num_channels.value):
                self.channels.append(FeatcodecFile.Varint(self._io, self, self._root))

            self.elements = []
            for i in range(self.num_channels.value):
                self.elements.append(FeatcodecFile.Varint(self._io, self, self._root))



        def _fetch_instances(self):
            pass
            self.num_channels._fetch_instances()
            for i in range(len(self.channels)):
                pass
                self.channels[i]._fetch_instances()

            for i in range(len(self.elements)):
                pass
                self.elements[i]._fetch_instances()



    class Curve(KaitaiStruct):
        """Section 6.6."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Curve, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.width = FeatcodecFile.Real(self._io, self, self._root)
            self.knots = []
            for i in range(24):
                self.knots.append(self._io.read_s1())



        def _fetch_instances(self):
            pass
            self.width._fetch_instances()
            for i in range(len(self.knots)):
                pass



    class Cut(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Cut, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.tensor = FeatcodecFile.Varint(self._io, self, self._root)
            _ = self.tensor
            if not _.value < self._parent._parent.num_tensors.value:
                raise kaitaistruct.ValidationExprError(self.tensor, self._io, u"/types/cut/seq/0")
            self.axes = []
            for i in range(self._parent._parent.ranks[self.tensor.value]):
                self.axes.append(FeatcodecFile.CutAxis(self.tensor.value, i, (1 if i == 0 else self.axes[i - 1].parts), self._io, self, self._root))

            self.groups = []
            for i in range(self.axes[len(self.axes) - 1].parts - 1):
                self.groups.append(FeatcodecFile.Varint(self._io, self, self._root))



        def _fetch_instances(self):
            pass
            self.tensor._fetch_instances()
            for i in range(len(self.axes)):
                pass
                self.axes[i]._fetch_instances()

            for i in range(len(self.groups)):
                pass
                self.groups[i]._fetch_instances()



    class CutAxis(KaitaiStruct):
        """How one axis of a tensor is cut."""
        def __init__(self, tensor, number, before, _io, _parent=None, _root=None):
            super(FeatcodecFile.CutAxis, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.tensor = tensor
            self.number = number
            self.before = before
            self._read()

        def _read(self):
            self.num_parts = FeatcodecFile.Varint(self._io, self, self._root)
            if self.num_parts.value >= 2:
                pass
                self.lengths = []
                for i in range(self.num_parts.value):
                    self.lengths.append(FeatcodecFile.Varint(self._io, self, self._root))
                    _ = self.lengths[i]
                    if not _.value >= 1:
                        raise kaitaistruct.ValidationExprError(self.lengths[i], self._io, u"/types/cut_axis/seq/1")




        def _fetch_instances(self):
            pass
            self.num_parts._fetch_instances()
            if self.num_parts.value >= 2:
                pass
                for i in range(len(self.lengths)):
                    pass
                    self.lengths[i]._fetch_instances()



        @property
        def along(self):
            if hasattr(self, '_m_along'):
                return self._m_along

            self._m_along = (1 if self.num_parts.value == 0 else (self.length if self.num_parts.value == 1 else self.num_parts.value))
            return getattr(self, '_m_along', None)

        @property
        def length(self):
            if hasattr(self, '_m_length'):
                return self._m_length

            self._m_length = self._parent._parent._parent.axes[self.number].lengths[self.tensor].length.value
            return getattr(self, '_m_length', None)

        @property
        def parts(self):
            if hasattr(self, '_m_parts'):
                return self._m_parts

            self._m_parts = self.before * self.along
            return getattr(self, '_m_parts', None)


    class Cuts(KaitaiStruct):
        """Section 4.3."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Cuts, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.num_cuts = FeatcodecFile.Varint(self._io, self, self._root)
            _ = self.num_cuts
            if not  ((_.value >= 1) and (_.value <= self._parent.num_tensors.value)) :
                raise kaitaistruct.ValidationExprError(self.num_cuts, self._io, u"/types/cuts/seq/0")
            self.cuts = []
            for i in range(self.num_cuts.value):
                self.cuts.append(FeatcodecFile.Cut(self._io, self, self._root))



        def _fetch_instances(self):
            pass
            self.num_cuts._fetch_instances()
            for i in range(len(self.cuts)):
                pass
                self.cuts[i]._fetch_instances()



    class End(KaitaiStruct):
        """Section 3."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.End, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len_file = self._io.read_u8le()
            _ = self.len_file
            if not _ == self._root._io.size():
                raise kaitaistruct.ValidationExprError(self.len_file, self._io, u"/types/end/seq/0")
            self.len_indx = self._io.read_u8le()


        def _fetch_instances(self):
            pass


    class Entr(KaitaiStruct):
        """Section 9."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Entr, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.name = FeatcodecFile.String(self._io, self, self._root)
            self.architecture = KaitaiStream.resolve_enum(FeatcodecFile.Architecture, self._io.read_u1())
            if not isinstance(self.architecture, FeatcodecFile.Architecture):
                raise kaitaistruct.ValidationNotInEnumError(self.architecture, self._io, u"/types/entr/seq/1")
            self.layout = FeatcodecFile.Layout(self._io, self, self._root)
            self.num_prefix = FeatcodecFile.Varint(self._io, self, self._root)
            self.grid = FeatcodecFile.Grid(self._io, self, self._root)
            self.is_prefix = self._io.read_u1()
            if not self.is_prefix <= 1:
                raise kaitaistruct.ValidationGreaterThanError(1, self.is_prefix, self._io, u"/types/entr/seq/5")
            self.num_channels = FeatcodecFile.Varint(self._io, self, self._root)
            _ = self.num_channels
            if not _.value <= 65536:
                raise kaitaistruct.ValidationExprError(self.num_channels, self._io, u"/types/entr/seq/6")
            self.num_values = FeatcodecFile.Varint(self._io, self, self._root)
            self.mean = FeatcodecFile.Real(self._io, self, self._root)
            self.deviation = FeatcodecFile.Real(self._io, self, self._root)
            self.lower = FeatcodecFile.Real(self._io, self, self._root)
            self.upper = FeatcodecFile.Real(self._io, self, self._root)
            self._raw_model = self._io.read_bytes_full()
            _io__raw_model = KaitaiStream(BytesIO(self._raw_model))
            self.model = FeatcodecFile.Model(_io__raw_model, self, self._root)


        def _fetch_instances(self):
            pass
            self.name._fetch_instances()
            self.layout._fetch_instances()
            self.num_prefix._fetch_instances()
            self.grid._fetch_instances()
            self.num_channels._fetch_instances()
            self.num_values._fetch_instances()
            self.mean._fetch_instances()
            self.deviation._fetch_instances()
            self.lower._fetch_instances()
            self.upper._fetch_instances()
            self.model._fetch_instances()


    class Escapes(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Escapes, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.magnitudes = []
            i = 0
            while not self._io.is_eof():
                self.magnitudes.append(FeatcodecFile.Varint(self._io, self, self._root))
                i += 1



        def _fetch_instances(self):
            pass
            for i in range(len(self.magnitudes)):
                pass
                self.magnitudes[i]._fetch_instances()



    class ExceptionList(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.ExceptionList, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.num = FeatcodecFile.Varint(self._io, self, self._root)
            self.gaps = []
            for i in range(self.num.value):
                self.gaps.append(FeatcodecFile.Varint(self._io, self, self._root))

            self.elements = self._io.read_bytes_full()


        def _fetch_instances(self):
            pass
            self.num._fetch_instances()
            for i in range(len(self.gaps)):
                pass
                self.gaps[i]._fetch_instances()



    class Exceptions(KaitaiStruct):
        """Section 7.6."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Exceptions, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len = FeatcodecFile.Varint(self._io, self, self._root)
            if self.len.value > 0:
                pass
                self._raw_body = self._io.read_bytes(self.len.value)
                _io__raw_body = KaitaiStream(BytesIO(self._raw_body))
                self.body = FeatcodecFile.ExceptionsBody(_io__raw_body, self, self._root)



        def _fetch_instances(self):
            pass
            self.len._fetch_instances()
            if self.len.value > 0:
                pass
                self.body._fetch_instances()



    class ExceptionsBody(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.ExceptionsBody, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len_list = FeatcodecFile.Varint(self._io, self, self._root)
            self._raw__raw_list = self._io.read_bytes_full()
            self._raw_list = zlib.decompress(self._raw__raw_list)
            _io__raw_list = KaitaiStream(BytesIO(self._raw_list))
            self.list = FeatcodecFile.ExceptionList(_io__raw_list, self, self._root)


        def _fetch_instances(self):
            pass
            self.len_list._fetch_instances()
            self.list._fetch_instances()


    class Grid(KaitaiStruct):
        """Rank and lengths of the grid behind the prefix tokens."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Grid, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.rank = self._io.read_u1()
            if not self.rank <= 16:
                raise kaitaistruct.ValidationGreaterThanError(16, self.rank, self._io, u"/types/grid/seq/0")
            self.lengths = []
            for i in range(self.rank):
                self.lengths.append(FeatcodecFile.Varint(self._io, self, self._root))



        def _fetch_instances(self):
            pass
            for i in range(len(self.lengths)):
                pass
                self.lengths[i]._fetch_instances()



    class Grup(KaitaiStruct):
        """Section 5."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Grup, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.coding = KaitaiStream.resolve_enum(FeatcodecFile.Coding, self._io.read_u1())
            if not isinstance(self.coding, FeatcodecFile.Coding):
                raise kaitaistruct.ValidationNotInEnumError(self.coding, self._io, u"/types/grup/seq/0")
            self.dtype = KaitaiStream.resolve_enum(FeatcodecFile.Dtype, self._io.read_u1())
            if not isinstance(self.dtype, FeatcodecFile.Dtype):
                raise kaitaistruct.ValidationNotInEnumError(self.dtype, self._io, u"/types/grup/seq/1")
            self.flags = FeatcodecFile.Varint(self._io, self, self._root)
            _ = self.flags
            if not  ((_.value < 4096) and ( ((self.coding != FeatcodecFile.Coding.exact) or (_.value < 2)) ) and ( ((self.coding != FeatcodecFile.Coding.network) or (_.value & 4065 == 0)) ) and (_.value & 258 != 258) and (_.value & 2050 != 2050) and (_.value & 2049 != 2049) and ( ((_.value & 1536 == 0) or ( ((_.value & 1536 != 1024) and (_.value & 510 == 8)) )) )) :
                raise kaitaistruct.ValidationExprError(self.flags, self._io, u"/types/grup/seq/2")
            self.num_slabs = FeatcodecFile.Varint(self._io, self, self._root)
            self.slabs_per_row_group = FeatcodecFile.Varint(self._io, self, self._root)
            _ = self.slabs_per_row_group
            if not  ((_.value > 0) and ( ((_.value <= 134217728) or (self.num_slabs.value <= 134217728)) ) and (16 * (((self.num_slabs.value + _.value) - 1) // _.value) <= self._root._io.size())) :
                raise kaitaistruct.ValidationExprError(self.slabs_per_row_group, self._io, u"/types/grup/seq/4")
            self.first_section = FeatcodecFile.Varint(self._io, self, self._root)
            self.snr = FeatcodecFile.Real(self._io, self, self._root)
            self.max_error = FeatcodecFile.Real(self._io, self, self._root)
            if self.flags.value & 2 != 0:
                pass
                self.task_snr = FeatcodecFile.Real(self._io, self, self._root)

            if  ((self.coding != FeatcodecFile.Coding.exact) or (self.has_repeats)) :
                pass
                self.layout = FeatcodecFile.Layout(self._io, self, self._root)

            if self.has_repeats:
                pass
                self.repeats = FeatcodecFile.SizedRepeats(self._io, self, self._root)

            if self.flags.value & 2048 != 0:
                pass
                self.stacks = FeatcodecFile.Stacks(self._io, self, self._root)

            if self.coding != FeatcodecFile.Coding.exact:
                pass
                self.lossy = FeatcodecFile.Lossy(self._io, self, self._root)



        def _fetch_instances(self):
            pass
            self.flags._fetch_instances()
            self.num_slabs._fetch_instances()
            self.slabs_per_row_group._fetch_instances()
            self.first_section._fetch_instances()
            self.snr._fetch_instances()
            self.max_error._fetch_instances()
            if self.flags.value & 2 != 0:
                pass
                self.task_snr._fetch_instances()

            if  ((self.coding != FeatcodecFile.Coding.exact) or (self.has_repeats)) :
                pass
                self.layout._fetch_instances()

            if self.has_repeats:
                pass
                self.repeats._fetch_instances()

            if self.flags.value & 2048 != 0:
                pass
                self.stacks._fetch_instances()

            if self.coding != FeatcodecFile.Coding.exact:
                pass
                self.lossy._fetch_instances()


        @property
        def has_repeats(self):
            if hasattr(self, '_m_has_repeats'):
                return self._m_has_repeats

            self._m_has_repeats = self.flags.value & 1 != 0
            return getattr(self, '_m_has_repeats', None)

        @property
        def num_row_groups(self):
            if hasattr(self, '_m_num_row_groups'):
                return self._m_num_row_groups

            self._m_num_row_groups = ((self.num_slabs.value + self.slabs_per_row_group.value) - 1) // self.slabs_per_row_group.value
            return getattr(self, '_m_num_row_groups', None)


    class Index(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Index, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.has_metadata = self._io.read_u1()
            if not self.has_metadata <= 1:
                raise kaitaistruct.ValidationGreaterThanError(1, self.has_metadata, self._io, u"/types/index/seq/0")
            if self.has_metadata == 1:
                pass
                self.num_metadata = FeatcodecFile.Varint(self._io, self, self._root)
                _ = self.num_metadata
                if not 5 * _.value <= 100000000:
                    raise kaitaistruct.ValidationExprError(self.num_metadata, self._io, u"/types/index/seq/1")

            if self.has_metadata == 1:
                pass
                self.metadata = []
                for i in range(self.num_metadata.value):
                    self.metadata.append(FeatcodecFile.Metadatum(self._io, self, self._root))


            self.num_profiles = FeatcodecFile.Varint(self._io, self, self._root)
            _ = self.num_profiles
            if not 16 * _.value <= self._root._io.size():
                raise kaitaistruct.ValidationExprError(self.num_profiles, self._io, u"/types/index/seq/3")
            self.profiles = []
            for i in range(self.num_profiles.value):
                self.profiles.append(self._io.read_bytes(32))

            self.num_tensors = FeatcodecFile.Varint(self._io, self, self._root)
            _ = self.num_tensors
            if not 49 * _.value <= 100000000:
                raise kaitaistruct.ValidationExprError(self.num_tensors, self._io, u"/types/index/seq/5")
            self.len_shared = []
            for i in range(self.num_tensors.value):
                self.len_shared.append(FeatcodecFile.Varint(self._io, self, self._root))

            self.len_rests = []
            for i in range(self.num_tensors.value):
                self.len_rests.append(FeatcodecFile.Varint(self._io, self, self._root))
                _ = self.len_rests[i]
                if not _.value + self.len_shared[i].value <= 65536:
                    raise kaitaistruct.ValidationExprError(self.len_rests[i], self._io, u"/types/index/seq/7")

            self.rests = []
            for i in range(self.num_tensors.value):
                self.rests.append(self._io.read_bytes(self.len_rests[i].value))

            self.dtypes = []
            for i in range(self.num_tensors.value):
                self.dtypes.append(KaitaiStream.resolve_enum(FeatcodecFile.Dtype, self._io.read_u1()))
                if not isinstance(self.dtypes[i], FeatcodecFile.Dtype):
                    raise kaitaistruct.ValidationNotInEnumError(self.dtypes[i], self._io, u"/types/index/seq/9")

            self.ranks = []
            for i in range(self.num_tensors.value):
                self.ranks.append(self._io.read_u1())
                if not self.ranks[i] <= 16:
                    raise kaitaistruct.ValidationGreaterThanError(16, self.ranks[i], self._io, u"/types/index/seq/10")

            self.axes = []
            for i in range(16):
                self.axes.append(FeatcodecFile.Axis(i, self._io, self, self._root))

            self.groups = []
            for i in range(self.num_tensors.value):
                self.groups.append(FeatcodecFile.Varint(self._io, self, self._root))

            self.num_sections = FeatcodecFile.Varint(self._io, self, self._root)
            _ = self.num_sections
            if not 16 * _.value <= self._root._io.size():
                raise kaitaistruct.ValidationExprError(self.num_sections, self._io, u"/types/index/seq/13")
            self.section_types = []
            for i in range(self.num_sections.value):
                self.section_types.append(KaitaiStream.resolve_enum(FeatcodecFile.SectionType, self._io.read_u4le()))

            self.len_sections = []
            for i in range(self.num_sections.value):
                self.len_sections.append(FeatcodecFile.Varint(self._io, self, self._root))
                _ = self.len_sections[i]
                if not _.value >= 16:
                    raise kaitaistruct.ValidationExprError(self.len_sections[i], self._io, u"/types/index/seq/15")

            if (not (self._io.is_eof())):
                pass
                self.cuts = FeatcodecFile.Cuts(self._io, self, self._root)



        def _fetch_instances(self):
            pass
            if self.has_metadata == 1:
                pass
                self.num_metadata._fetch_instances()

            if self.has_metadata == 1:
                pass
                for i in range(len(self.metadata)):
                    pass
                    self.metadata[i]._fetch_instances()


            self.num_profiles._fetch_instances()
            for i in range(len(self.profiles)):
                pass

            self.num_tensors._fetch_instances()
            for i in range(len(self.len_shared)):
                pass
                self.len_shared[i]._fetch_instances()

            for i in range(len(self.len_rests)):
                pass
                self.len_rests[i]._fetch_instances()

            for i in range(len(self.rests)):
                pass

            for i in range(len(self.dtypes)):
                pass

            for i in range(len(self.ranks)):
                pass

            for i in range(len(self.axes)):
                pass
                self.axes[i]._fetch_instances()

            for i in range(len(self.groups)):
                pass
                self.groups[i]._fetch_instances()

            self.num_sections._fetch_instances()
            for i in range(len(self.section_types)):
                pass

            for i in range(len(self.len_sections)):
                pass
                self.len_sections[i]._fetch_instances()

            if (not (self._io.is_eof())):
                pass
                self.cuts._fetch_instances()



    class Indx(KaitaiStruct):
        """Section 4.1."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Indx, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len_index = FeatcodecFile.Varint(self._io, self, self._root)
            _ = self.len_index
            if not _.value <= 1073741824:
                raise kaitaistruct.ValidationExprError(self.len_index, self._io, u"/types/indx/seq/0")
            self._raw__raw_index = self._io.read_bytes_full()
            self._raw_index = zlib.decompress(self._raw__raw_index)
            _io__raw_index = KaitaiStream(BytesIO(self._raw_index))
            self.index = FeatcodecFile.Index(_io__raw_index, self, self._root)


        def _fetch_instances(self):
            pass
            self.len_index._fetch_instances()
            self.index._fetch_instances()


    class Integers(KaitaiStruct):
        """Section 7.5; empty when all are 0."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Integers, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len = FeatcodecFile.Varint(self._io, self, self._root)
            if self.len.value > 0:
                pass
                self._raw_body = self._io.read_bytes(self.len.value)
                _io__raw_body = KaitaiStream(BytesIO(self._raw_body))
                self.body = FeatcodecFile.IntegersBody(_io__raw_body, self, self._root)



        def _fetch_instances(self):
            pass
            self.len._fetch_instances()
            if self.len.value > 0:
                pass
                self.body._fetch_instances()



    class IntegersBody(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.IntegersBody, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            if self.is_plain:
                pass
                self.plain = FeatcodecFile.PlainIntegers(self._io, self, self._root)

            if (not (self.is_plain)):
                pass
                self.table = FeatcodecFile.Table(self._io, self, self._root)

            if (not (self.is_plain)):
                pass
                self.symbols = FeatcodecFile.CodedSymbols(self._io, self, self._root)



        def _fetch_instances(self):
            pass
            if self.is_plain:
                pass
                self.plain._fetch_instances()

            if (not (self.is_plain)):
                pass
                self.table._fetch_instances()

            if (not (self.is_plain)):
                pass
                self.symbols._fetch_instances()

            _ = self.magnitude
            if hasattr(self, '_m_magnitude'):
                pass


        @property
        def is_plain(self):
            if hasattr(self, '_m_is_plain'):
                return self._m_is_plain

            self._m_is_plain = self.magnitude == 128
            return getattr(self, '_m_is_plain', None)

        @property
        def magnitude(self):
            if hasattr(self, '_m_magnitude'):
                return self._m_magnitude

            _pos = self._io.pos()
            self._io.seek(0)
            self._m_magnitude = self._io.read_u1()
            self._io.seek(_pos)
            return getattr(self, '_m_magnitude', None)


    class Interpolation(KaitaiStruct):
        """Section 7.16."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Interpolation, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.axis = self._io.read_u1()
            if not self.axis <= 1:
                raise kaitaistruct.ValidationGreaterThanError(1, self.axis, self._io, u"/types/interpolation/seq/0")
            self.groups = FeatcodecFile.Integers(self._io, self, self._root)
            self.near = FeatcodecFile.Integers(self._io, self, self._root)
            self.near_constants = FeatcodecFile.Integers(self._io, self, self._root)
            self.across = FeatcodecFile.Integers(self._io, self, self._root)
            self.spread = FeatcodecFile.Integers(self._io, self, self._root)
            self.spread_constants = FeatcodecFile.Integers(self._io, self, self._root)
            self.spread_across = FeatcodecFile.Integers(self._io, self, self._root)
            self.slopes = FeatcodecFile.Integers(self._io, self, self._root)
            self.zeros = FeatcodecFile.Integers(self._io, self, self._root)
            self.offsets = FeatcodecFile.Integers(self._io, self, self._root)


        def _fetch_instances(self):
            pass
            self.groups._fetch_instances()
            self.near._fetch_instances()
            self.near_constants._fetch_instances()
            self.across._fetch_instances()
            self.spread._fetch_instances()
            self.spread_constants._fetch_instances()
            self.spread_across._fetch_instances()
            self.slopes._fetch_instances()
            self.zeros._fetch_instances()
            self.offsets._fetch_instances()


    class Layers(KaitaiStruct):
        """Section 6.10."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Layers, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.num_layers = FeatcodecFile.Varint(self._io, self, self._root)
            _ = self.num_layers
            if not  ((_.value >= 2) and (_.value <= 256)) :
                raise kaitaistruct.ValidationExprError(self.num_layers, self._io, u"/types/layers/seq/0")
            self.mixing = FeatcodecFile.Integers(self._io, self, self._root)
            self.nums_reflectors = []
            for i in range(self.num_layers.value):
                self.nums_reflectors.append(FeatcodecFile.Varint(self._io, self, self._root))

            self.bases = []
            for i in range(self.num_layers.value):
                self.bases.append(FeatcodecFile.RunsOfReflectors(self._io, self, self._root))



        def _fetch_instances(self):
            pass
            self.num_layers._fetch_instances()
            self.mixing._fetch_instances()
            for i in range(len(self.nums_reflectors)):
                pass
                self.nums_reflectors[i]._fetch_instances()

            for i in range(len(self.bases)):
                pass
                self.bases[i]._fetch_instances()



    class Layout(KaitaiStruct):
        """Section 5.1. The limit is that of section 10."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Layout, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len = FeatcodecFile.Varint(self._io, self, self._root)
            self.text = (self._io.read_bytes(self.len.value)).decode(u"UTF-8")
            _ = self.text
            if not self.len.value <= 16:
                raise kaitaistruct.ValidationExprError(self.text, self._io, u"/types/layout/seq/1")


        def _fetch_instances(self):
            pass
            self.len._fetch_instances()


    class Levels(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Levels, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.levels = []
            for i in range(256):
                self.levels.append(self._io.read_u2le())



        def _fetch_instances(self):
            pass
            for i in range(len(self.levels)):
                pass



    class Lossy(KaitaiStruct):
        """Section 5, with coding 1 or 2. With coding 2 there is a profile, and neither prefix tokens nor
        a grid behind them.
        """
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Lossy, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.architecture = KaitaiStream.resolve_enum(FeatcodecFile.Architecture, self._io.read_u1())
            if not isinstance(self.architecture, FeatcodecFile.Architecture):
                raise kaitaistruct.ValidationNotInEnumError(self.architecture, self._io, u"/types/lossy/seq/0")
            self.num_prefix = FeatcodecFile.Varint(self._io, self, self._root)
            self.grid = FeatcodecFile.Grid(self._io, self, self._root)
            self.lower = FeatcodecFile.Real(self._io, self, self._root)
            self.upper = FeatcodecFile.Real(self._io, self, self._root)
            self.num_exceptions = FeatcodecFile.Varint(self._io, self, self._root)
            self.mean = FeatcodecFile.Real(self._io, self, self._root)
            self.deviation = FeatcodecFile.Real(self._io, self, self._root)
            self.step = FeatcodecFile.Real(self._io, self, self._root)
            self.step_scale = FeatcodecFile.Svarint(self._io, self, self._root)
            if self._parent.flags.value & 32 != 0:
                pass
                self.curve = FeatcodecFile.Curve(self._io, self, self._root)

            if self._parent.flags.value & 64 != 0:
                pass
                self.constants = FeatcodecFile.Constants(self._io, self, self._root)

            if self._parent.flags.value & 256 != 0:
                pass
                self.slices = FeatcodecFile.Slices(self._io, self, self._root)

            self.profile = FeatcodecFile.Varint(self._io, self, self._root)
            self.parts = []
            for i in range((2 if self.num_prefix.value > 0 else 1)):
                self.parts.append(FeatcodecFile.Part(self._io, self, self._root))
                _ = self.parts[i]
                if not  ((self._parent.flags.value & 16 == 0) or (_.kind != FeatcodecFile.PartKind.own) or ( ((_.body.model.transform != FeatcodecFile.Transform.predicted) and (_.body.model.transform != FeatcodecFile.Transform.split) and (_.body.model.transform != FeatcodecFile.Transform.interpolated)) )) :
                    raise kaitaistruct.ValidationExprError(self.parts[i], self._io, u"/types/lossy/seq/14")

            if self._parent.coding == FeatcodecFile.Coding.network:
                pass
                self.picture_step = FeatcodecFile.Svarint(self._io, self, self._root)



        def _fetch_instances(self):
            pass
            self.num_prefix._fetch_instances()
            self.grid._fetch_instances()
            self.lower._fetch_instances()
            self.upper._fetch_instances()
            self.num_exceptions._fetch_instances()
            self.mean._fetch_instances()
            self.deviation._fetch_instances()
            self.step._fetch_instances()
            self.step_scale._fetch_instances()
            if self._parent.flags.value & 32 != 0:
                pass
                self.curve._fetch_instances()

            if self._parent.flags.value & 64 != 0:
                pass
                self.constants._fetch_instances()

            if self._parent.flags.value & 256 != 0:
                pass
                self.slices._fetch_instances()

            self.profile._fetch_instances()
            for i in range(len(self.parts)):
                pass
                self.parts[i]._fetch_instances()

            if self._parent.coding == FeatcodecFile.Coding.network:
                pass
                self.picture_step._fetch_instances()



    class Made(KaitaiStruct):
        """Section 3.1. How the file was made."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Made, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.text = (self._io.read_bytes_full()).decode(u"UTF-8")
            _ = self.text
            if not self._root.signature.kind == FeatcodecFile.Kind.features:
                raise kaitaistruct.ValidationExprError(self.text, self._io, u"/types/made/seq/0")


        def _fetch_instances(self):
            pass


    class Metadatum(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Metadatum, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.key = FeatcodecFile.String(self._io, self, self._root)
            self.value = FeatcodecFile.Blob(self._io, self, self._root)


        def _fetch_instances(self):
            pass
            self.key._fetch_instances()
            self.value._fetch_instances()


    class Metric(KaitaiStruct):
        """Section 6.7."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Metric, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.task = FeatcodecFile.String(self._io, self, self._root)
            self.recommended = FeatcodecFile.Real(self._io, self, self._root)
            self.num_bands = FeatcodecFile.Varint(self._io, self, self._root)
            _ = self.num_bands
            if not  ((_.value >= 1) and (_.value <= 16)) :
                raise kaitaistruct.ValidationExprError(self.num_bands, self._io, u"/types/metric/seq/2")
            self.bands = FeatcodecFile.Integers(self._io, self, self._root)
            self.weights = FeatcodecFile.Integers(self._io, self, self._root)


        def _fetch_instances(self):
            pass
            self.task._fetch_instances()
            self.recommended._fetch_instances()
            self.num_bands._fetch_instances()
            self.bands._fetch_instances()
            self.weights._fetch_instances()


    class Model(KaitaiStruct):
        """Section 6."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Model, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.transform = KaitaiStream.resolve_enum(FeatcodecFile.Transform, self._io.read_u1())
            _ = self.transform
            if not  ((_ == FeatcodecFile.Transform.none) or (_ == FeatcodecFile.Transform.linear) or (_ == FeatcodecFile.Transform.banded) or (_ == FeatcodecFile.Transform.weighted) or (_ == FeatcodecFile.Transform.low_rank) or (_ == FeatcodecFile.Transform.context_shared) or ( ((self._root.signature.kind == FeatcodecFile.Kind.features) and ( ((_ == FeatcodecFile.Transform.predicted) or (_ == FeatcodecFile.Transform.split) or (_ == FeatcodecFile.Transform.context) or (_ == FeatcodecFile.Transform.context_means) or (_ == FeatcodecFile.Transform.interpolated) or (_ == FeatcodecFile.Transform.layered)) )) )) :
                raise kaitaistruct.ValidationExprError(self.transform, self._io, u"/types/model/seq/0")
            self.longest_block = FeatcodecFile.Grid(self._io, self, self._root)
            self.num_reflectors = FeatcodecFile.Varint(self._io, self, self._root)
            self.centre_exponent = self._io.read_u1()
            _ = self.centre_exponent
            if not  (( (( ((self.transform != FeatcodecFile.Transform.context) and (self.transform != FeatcodecFile.Transform.context_means) and (self.transform != FeatcodecFile.Transform.context_shared) and (self.transform != FeatcodecFile.Transform.interpolated)) ) or ( ((self.longest_block.rank >= 1) and (self.longest_block.rank <= 3) and (self.num_reflectors.value == 0)) )) ) and ( (( ((self.transform != FeatcodecFile.Transform.predicted) and (self.transform != FeatcodecFile.Transform.split) and (self.transform != FeatcodecFile.Transform.layered)) ) or (self.num_reflectors.value == 0)) )) :
                raise kaitaistruct.ValidationExprError(self.centre_exponent, self._io, u"/types/model/seq/3")
            self.scale_unit = self._io.read_u1()
            if self.transform == FeatcodecFile.Transform.banded:
                pass
                self.num_bands = FeatcodecFile.Varint(self._io, self, self._root)
                _ = self.num_bands
                if not  ((_.value >= 2) and (_.value <= 16)) :
                    raise kaitaistruct.ValidationExprError(self.num_bands, self._io, u"/types/model/seq/5")

            if self.transform == FeatcodecFile.Transform.banded:
                pass
                self.bands = FeatcodecFile.Integers(self._io, self, self._root)

            if self.transform == FeatcodecFile.Transform.weighted:
                pass
                self.metric = FeatcodecFile.Metric(self._io, self, self._root)

            if self.transform == FeatcodecFile.Transform.layered:
                pass
                self.layers = FeatcodecFile.Layers(self._io, self, self._root)

            if self.transform == FeatcodecFile.Transform.predicted:
                pass
                self.len_prediction = FeatcodecFile.Varint(self._io, self, self._root)

            if self.transform == FeatcodecFile.Transform.predicted:
                pass
                self._raw_prediction = self._io.read_bytes(self.len_prediction.value)
                _io__raw_prediction = KaitaiStream(BytesIO(self._raw_prediction))
                self.prediction = FeatcodecFile.Prediction(_io__raw_prediction, self, self._root)

            if self.transform == FeatcodecFile.Transform.split:
                pass
                self.peak = FeatcodecFile.Varint(self._io, self, self._root)
                _ = self.peak
                if not _.value <= 1048576:
                    raise kaitaistruct.ValidationExprError(self.peak, self._io, u"/types/model/seq/11")

            if  ((self.transform == FeatcodecFile.Transform.context) or (self.transform == FeatcodecFile.Transform.context_means) or (self.transform == FeatcodecFile.Transform.context_shared)) :
                pass
                self.offsets = FeatcodecFile.Integers(self._io, self, self._root)

            if  ((self.transform == FeatcodecFile.Transform.context) or (self.transform == FeatcodecFile.Transform.context_means) or (self.transform == FeatcodecFile.Transform.context_shared)) :
                pass
                self.own_tables = FeatcodecFile.OwnTables(self._io, self, self._root)

            if self.transform == FeatcodecFile.Transform.context_means:
                pass
                self.means = FeatcodecFile.Integers(self._io, self, self._root)

            if self.transform == FeatcodecFile.Transform.context_means:
                pass
                self.len_mean_table = FeatcodecFile.Varint(self._io, self, self._root)

            if self.transform == FeatcodecFile.Transform.context_means:
                pass
                self._raw_mean_table = self._io.read_bytes(self.len_mean_table.value)
                _io__raw_mean_table = KaitaiStream(BytesIO(self._raw_mean_table))
                self.mean_table = FeatcodecFile.Table(_io__raw_mean_table, self, self._root)

            if self.transform == FeatcodecFile.Transform.interpolated:
                pass
                self.len_interpolation = FeatcodecFile.Varint(self._io, self, self._root)

            if self.transform == FeatcodecFile.Transform.interpolated:
                pass
                self._raw_interpolation = self._io.read_bytes(self.len_interpolation.value)
                _io__raw_interpolation = KaitaiStream(BytesIO(self._raw_interpolation))
                self.interpolation = FeatcodecFile.Interpolation(_io__raw_interpolation, self, self._root)

            self.centres = FeatcodecFile.Integers(self._io, self, self._root)
            if self.transform != FeatcodecFile.Transform.low_rank:
                pass
                self.reflectors = FeatcodecFile.Integers(self._io, self, self._root)
                _ = self.reflectors
                if not  ((self.transform != FeatcodecFile.Transform.layered) or (_.len.value == 0)) :
                    raise kaitaistruct.ValidationExprError(self.reflectors, self._io, u"/types/model/seq/20")

            if self.transform == FeatcodecFile.Transform.low_rank:
                pass
                self.runs_of_reflectors = FeatcodecFile.RunsOfReflectors(self._io, self, self._root)

            self.scales = FeatcodecFile.Scales(self._io, self, self._root)
            _ = self.scales
            if not  ((self.transform != FeatcodecFile.Transform.interpolated) or (_.len.value == 0)) :
                raise kaitaistruct.ValidationExprError(self.scales, self._io, u"/types/model/seq/22")
            self.tables = FeatcodecFile.Tables(self._io, self, self._root)
            _ = self.tables
            if not  (( ((self.transform != FeatcodecFile.Transform.context) and (self.transform != FeatcodecFile.Transform.context_means) and (self.transform != FeatcodecFile.Transform.context_shared) and (self.transform != FeatcodecFile.Transform.interpolated)) ) or (_.len.value == 0)) :
                raise kaitaistruct.ValidationExprError(self.tables, self._io, u"/types/model/seq/23")


        def _fetch_instances(self):
            pass
            self.longest_block._fetch_instances()
            self.num_reflectors._fetch_instances()
            if self.transform == FeatcodecFile.Transform.banded:
                pass
                self.num_bands._fetch_instances()

            if self.transform == FeatcodecFile.Transform.banded:
                pass
                self.bands._fetch_instances()

            if self.transform == FeatcodecFile.Transform.weighted:
                pass
                self.metric._fetch_instances()

            if self.transform == FeatcodecFile.Transform.layered:
                pass
                self.layers._fetch_instances()

            if self.transform == FeatcodecFile.Transform.predicted:
                pass
                self.len_prediction._fetch_instances()

            if self.transform == FeatcodecFile.Transform.predicted:
                pass
                self.prediction._fetch_instances()

            if self.transform == FeatcodecFile.Transform.split:
                pass
                self.peak._fetch_instances()

            if  ((self.transform == FeatcodecFile.Transform.context) or (self.transform == FeatcodecFile.Transform.context_means) or (self.transform == FeatcodecFile.Transform.context_shared)) :
                pass
                self.offsets._fetch_instances()

            if  ((self.transform == FeatcodecFile.Transform.context) or (self.transform == FeatcodecFile.Transform.context_means) or (self.transform == FeatcodecFile.Transform.context_shared)) :
                pass
                self.own_tables._fetch_instances()

            if self.transform == FeatcodecFile.Transform.context_means:
                pass
                self.means._fetch_instances()

            if self.transform == FeatcodecFile.Transform.context_means:
                pass
                self.len_mean_table._fetch_instances()

            if self.transform == FeatcodecFile.Transform.context_means:
                pass
                self.mean_table._fetch_instances()

            if self.transform == FeatcodecFile.Transform.interpolated:
                pass
                self.len_interpolation._fetch_instances()

            if self.transform == FeatcodecFile.Transform.interpolated:
                pass
                self.interpolation._fetch_instances()

            self.centres._fetch_instances()
            if self.transform != FeatcodecFile.Transform.low_rank:
                pass
                self.reflectors._fetch_instances()

            if self.transform == FeatcodecFile.Transform.low_rank:
                pass
                self.runs_of_reflectors._fetch_instances()

            self.scales._fetch_instances()
            self.tables._fetch_instances()


    class Netw(KaitaiStruct):
        """Section 9.2."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Netw, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.network = FeatcodecFile.Safetensors(self._io, self, self._root)


        def _fetch_instances(self):
            pass
            self.network._fetch_instances()


    class NumberedTable(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.NumberedTable, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.number = self._io.read_u1()
            self.table = FeatcodecFile.Table(self._io, self, self._root)


        def _fetch_instances(self):
            pass
            self.table._fetch_instances()


    class OfEntry(KaitaiStruct):
        """The model is that of an entry of the profile, with changes."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.OfEntry, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.transform = KaitaiStream.resolve_enum(FeatcodecFile.Transform, self._io.read_u1())
            if not  ((self.transform == FeatcodecFile.Transform.none) or (self.transform == FeatcodecFile.Transform.linear) or (self.transform == FeatcodecFile.Transform.banded) or (self.transform == FeatcodecFile.Transform.weighted) or (self.transform == FeatcodecFile.Transform.low_rank) or (self.transform == FeatcodecFile.Transform.context_shared)) :
                raise kaitaistruct.ValidationNotAnyOfError(self.transform, self._io, u"/types/of_entry/seq/0")
            self.entry = FeatcodecFile.Varint(self._io, self, self._root)
            self.scales = FeatcodecFile.Scales(self._io, self, self._root)
            self.tables = FeatcodecFile.Tables(self._io, self, self._root)


        def _fetch_instances(self):
            pass
            self.entry._fetch_instances()
            self.scales._fetch_instances()
            self.tables._fetch_instances()


    class OwnTables(KaitaiStruct):
        """Section 7.15; empty when there are none."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.OwnTables, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len = FeatcodecFile.Varint(self._io, self, self._root)
            if self.len.value > 0:
                pass
                self._raw_body = self._io.read_bytes(self.len.value)
                _io__raw_body = KaitaiStream(BytesIO(self._raw_body))
                self.body = FeatcodecFile.PackedTables(_io__raw_body, self, self._root)



        def _fetch_instances(self):
            pass
            self.len._fetch_instances()
            if self.len.value > 0:
                pass
                self.body._fetch_instances()



    class PackedRepeats(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.PackedRepeats, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len_unpacked = FeatcodecFile.Varint(self._io, self, self._root)
            _ = self.len_unpacked
            if not _.value <= 31457291:
                raise kaitaistruct.ValidationExprError(self.len_unpacked, self._io, u"/types/packed_repeats/seq/0")
            self._raw__raw_repeats = self._io.read_bytes_full()
            self._raw_repeats = zlib.decompress(self._raw__raw_repeats)
            _io__raw_repeats = KaitaiStream(BytesIO(self._raw_repeats))
            self.repeats = FeatcodecFile.Repeats(_io__raw_repeats, self, self._root)


        def _fetch_instances(self):
            pass
            self.len_unpacked._fetch_instances()
            self.repeats._fetch_instances()


    class PackedTables(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.PackedTables, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len_unpacked = FeatcodecFile.Varint(self._io, self, self._root)
            _ = self.len_unpacked
            if not _.value <= 1048576:
                raise kaitaistruct.ValidationExprError(self.len_unpacked, self._io, u"/types/packed_tables/seq/0")
            self._raw__raw_body = self._io.read_bytes_full()
            self._raw_body = zlib.decompress(self._raw__raw_body)
            _io__raw_body = KaitaiStream(BytesIO(self._raw_body))
            self.body = FeatcodecFile.WideTables(_io__raw_body, self, self._root)


        def _fetch_instances(self):
            pass
            self.len_unpacked._fetch_instances()
            self.body._fetch_instances()


    class Part(KaitaiStruct):
        """Section 5."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Part, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.kind = KaitaiStream.resolve_enum(FeatcodecFile.PartKind, self._io.read_u1())
            if not isinstance(self.kind, FeatcodecFile.PartKind):
                raise kaitaistruct.ValidationNotInEnumError(self.kind, self._io, u"/types/part/seq/0")
            _on = self.kind
            if _on == FeatcodecFile.PartKind.entry:
                pass
                self.body = FeatcodecFile.OfEntry(self._io, self, self._root)
            elif _on == FeatcodecFile.PartKind.own:
                pass
                self.body = FeatcodecFile.SizedModel(self._io, self, self._root)


        def _fetch_instances(self):
            pass
            _on = self.kind
            if _on == FeatcodecFile.PartKind.entry:
                pass
                self.body._fetch_instances()
            elif _on == FeatcodecFile.PartKind.own:
                pass
                self.body._fetch_instances()


    class PlainIntegers(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.PlainIntegers, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.code = self._io.read_u1()
            self.integers = []
            i = 0
            while not self._io.is_eof():
                self.integers.append(FeatcodecFile.Svarint(self._io, self, self._root))
                i += 1



        def _fetch_instances(self):
            pass
            for i in range(len(self.integers)):
                pass
                self.integers[i]._fetch_instances()



    class Plane(KaitaiStruct):
        """Section 8."""
        def __init__(self, num_elements, _io, _parent=None, _root=None):
            super(FeatcodecFile.Plane, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.num_elements = num_elements
            self._read()

        def _read(self):
            self.kind = KaitaiStream.resolve_enum(FeatcodecFile.PlaneKind, self._io.read_u1())
            if not isinstance(self.kind, FeatcodecFile.PlaneKind):
                raise kaitaistruct.ValidationNotInEnumError(self.kind, self._io, u"/types/plane/seq/0")
            if self.kind == FeatcodecFile.PlaneKind.raw:
                pass
                self.raw = self._io.read_bytes(self.num_elements)

            if self.kind == FeatcodecFile.PlaneKind.constant:
                pass
                self.constant = self._io.read_u1()

            if self.kind == FeatcodecFile.PlaneKind.coded:
                pass
                self.coded = FeatcodecFile.CodedPlane(self._io, self, self._root)



        def _fetch_instances(self):
            pass
            if self.kind == FeatcodecFile.PlaneKind.raw:
                pass

            if self.kind == FeatcodecFile.PlaneKind.constant:
                pass

            if self.kind == FeatcodecFile.PlaneKind.coded:
                pass
                self.coded._fetch_instances()



    class Prediction(KaitaiStruct):
        """Section 7.11."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Prediction, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.neighbours = FeatcodecFile.Integers(self._io, self, self._root)
            self.precision = self._io.read_u1()
            self.octaves = FeatcodecFile.Integers(self._io, self, self._root)
            self.rows = FeatcodecFile.Integers(self._io, self, self._root)


        def _fetch_instances(self):
            pass
            self.neighbours._fetch_instances()
            self.octaves._fetch_instances()
            self.rows._fetch_instances()


    class Prof(KaitaiStruct):
        """Section 3.1. A profile in the file that needs it, whole; read it as a file of its own."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Prof, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.file = self._io.read_bytes_full()
            _ = self.file
            if not self._root.signature.kind == FeatcodecFile.Kind.features:
                raise kaitaistruct.ValidationExprError(self.file, self._io, u"/types/prof/seq/0")


        def _fetch_instances(self):
            pass


    class Real(KaitaiStruct):
        """Section 1. The highest bytes of a binary64, little-endian; the others are 0. Kaitai Struct cannot
        put it together, so what limits its value is left to the reader.
        """
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Real, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len = self._io.read_u1()
            if not self.len <= 8:
                raise kaitaistruct.ValidationGreaterThanError(8, self.len, self._io, u"/types/real/seq/0")
            self.body = self._io.read_bytes(self.len)


        def _fetch_instances(self):
            pass


    class Refinement(KaitaiStruct):
        """Section 7.17."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Refinement, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len_small = FeatcodecFile.Varint(self._io, self, self._root)
            self.small = self._io.read_bytes(self.len_small.value)
            self.low_bits = self._io.read_bytes_full()


        def _fetch_instances(self):
            pass
            self.len_small._fetch_instances()


    class Repeats(KaitaiStruct):
        """Section 5.4, rows that repeat earlier ones. The limit is that of section 10."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Repeats, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.whole = self._io.read_u1()
            if not self.whole <= 1:
                raise kaitaistruct.ValidationGreaterThanError(1, self.whole, self._io, u"/types/repeats/seq/0")
            self.num_runs = FeatcodecFile.Varint(self._io, self, self._root)
            _ = self.num_runs
            if not  ((_.value > 0) and (_.value <= 1048576)) :
                raise kaitaistruct.ValidationExprError(self.num_runs, self._io, u"/types/repeats/seq/1")
            self.num_new = []
            for i in range(self.num_runs.value):
                self.num_new.append(FeatcodecFile.Varint(self._io, self, self._root))

            self.num_repeated = []
            for i in range(self.num_runs.value):
                self.num_repeated.append(FeatcodecFile.Varint(self._io, self, self._root))
                _ = self.num_repeated[i]
                if not _.value > 0:
                    raise kaitaistruct.ValidationExprError(self.num_repeated[i], self._io, u"/types/repeats/seq/3")

            self.distances = []
            for i in range(self.num_runs.value):
                self.distances.append(FeatcodecFile.Varint(self._io, self, self._root))

            self.constants = []
            i = 0
            while not self._io.is_eof():
                self.constants.append(FeatcodecFile.Varint(self._io, self, self._root))
                i += 1



        def _fetch_instances(self):
            pass
            self.num_runs._fetch_instances()
            for i in range(len(self.num_new)):
                pass
                self.num_new[i]._fetch_instances()

            for i in range(len(self.num_repeated)):
                pass
                self.num_repeated[i]._fetch_instances()

            for i in range(len(self.distances)):
                pass
                self.distances[i]._fetch_instances()

            for i in range(len(self.constants)):
                pass
                self.constants[i]._fetch_instances()



    class Rows(KaitaiStruct):
        """A row group. Its layout is that of the coding of the GRUP section that claims it, for which
        the reader looks at `first_section` and `num_row_groups` of all: `lossy`, `network` or `exact`.
        With bit 7 of `flags` it is `gains`, with bit 9 `refined`.
        """
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Rows, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            pass


        def _fetch_instances(self):
            pass
            _ = self.exact
            if hasattr(self, '_m_exact'):
                pass
                self._m_exact._fetch_instances()

            _ = self.gains
            if hasattr(self, '_m_gains'):
                pass
                self._m_gains._fetch_instances()

            _ = self.lossy
            if hasattr(self, '_m_lossy'):
                pass
                self._m_lossy._fetch_instances()

            _ = self.network
            if hasattr(self, '_m_network'):
                pass
                self._m_network._fetch_instances()

            _ = self.refined
            if hasattr(self, '_m_refined'):
                pass
                self._m_refined._fetch_instances()


        @property
        def exact(self):
            if hasattr(self, '_m_exact'):
                return self._m_exact

            _pos = self._io.pos()
            self._io.seek(0)
            self._raw__m_exact = self._io.read_bytes_full()
            _io__raw__m_exact = KaitaiStream(BytesIO(self._raw__m_exact))
            self._m_exact = FeatcodecFile.RowsExact(_io__raw__m_exact, self, self._root)
            self._io.seek(_pos)
            return getattr(self, '_m_exact', None)

        @property
        def gains(self):
            if hasattr(self, '_m_gains'):
                return self._m_gains

            _pos = self._io.pos()
            self._io.seek(0)
            self._raw__m_gains = self._io.read_bytes_full()
            _io__raw__m_gains = KaitaiStream(BytesIO(self._raw__m_gains))
            self._m_gains = FeatcodecFile.RowsGains(_io__raw__m_gains, self, self._root)
            self._io.seek(_pos)
            return getattr(self, '_m_gains', None)

        @property
        def lossy(self):
            if hasattr(self, '_m_lossy'):
                return self._m_lossy

            _pos = self._io.pos()
            self._io.seek(0)
            self._raw__m_lossy = self._io.read_bytes_full()
            _io__raw__m_lossy = KaitaiStream(BytesIO(self._raw__m_lossy))
            self._m_lossy = FeatcodecFile.RowsLossy(_io__raw__m_lossy, self, self._root)
            self._io.seek(_pos)
            return getattr(self, '_m_lossy', None)

        @property
        def network(self):
            if hasattr(self, '_m_network'):
                return self._m_network

            _pos = self._io.pos()
            self._io.seek(0)
            self._raw__m_network = self._io.read_bytes_full()
            _io__raw__m_network = KaitaiStream(BytesIO(self._raw__m_network))
            self._m_network = FeatcodecFile.RowsNetwork(_io__raw__m_network, self, self._root)
            self._io.seek(_pos)
            return getattr(self, '_m_network', None)

        @property
        def refined(self):
            if hasattr(self, '_m_refined'):
                return self._m_refined

            _pos = self._io.pos()
            self._io.seek(0)
            self._raw__m_refined = self._io.read_bytes_full()
            _io__raw__m_refined = KaitaiStream(BytesIO(self._raw__m_refined))
            self._m_refined = FeatcodecFile.RowsRefined(_io__raw__m_refined, self, self._root)
            self._io.seek(_pos)
            return getattr(self, '_m_refined', None)


    class RowsExact(KaitaiStruct):
        """Section 8."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.RowsExact, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.crc32 = self._io.read_u4le()
            self.planes = self._io.read_bytes_full()


        def _fetch_instances(self):
            pass


    class RowsGains(KaitaiStruct):
        """Section 7.7, in a group whose flags have bit 7."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.RowsGains, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.fine_step = self._io.read_u1()
            self.exceptions = FeatcodecFile.Exceptions(self._io, self, self._root)
            self.gains = FeatcodecFile.SizedIntegers(self._io, self, self._root)
            self.symbols = FeatcodecFile.CodedSymbols(self._io, self, self._root)


        def _fetch_instances(self):
            pass
            self.exceptions._fetch_instances()
            self.gains._fetch_instances()
            self.symbols._fetch_instances()


    class RowsLossy(KaitaiStruct):
        """Section 7.7."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.RowsLossy, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.fine_step = self._io.read_u1()
            self.exceptions = FeatcodecFile.Exceptions(self._io, self, self._root)
            self.symbols = FeatcodecFile.CodedSymbols(self._io, self, self._root)


        def _fetch_instances(self):
            pass
            self.exceptions._fetch_instances()
            self.symbols._fetch_instances()


    class RowsNetwork(KaitaiStruct):
        """Section 7.8. A row group without values has no picture, and is laid out as `rows_lossy`."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.RowsNetwork, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.fine_step = self._io.read_u1()
            self.exceptions = FeatcodecFile.Exceptions(self._io, self, self._root)
            self.hyper_latents = FeatcodecFile.SizedSymbols(self._io, self, self._root)
            self.latents = FeatcodecFile.SizedSymbols(self._io, self, self._root)
            self.symbols = FeatcodecFile.CodedSymbols(self._io, self, self._root)


        def _fetch_instances(self):
            pass
            self.exceptions._fetch_instances()
            self.hyper_latents._fetch_instances()
            self.latents._fetch_instances()
            self.symbols._fetch_instances()


    class RowsRefined(KaitaiStruct):
        """Section 7.17."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.RowsRefined, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.fine_step = self._io.read_u1()
            if not self.fine_step == 128:
                raise kaitaistruct.ValidationNotEqualError(128, self.fine_step, self._io, u"/types/rows_refined/seq/0")
            self.exceptions = FeatcodecFile.Exceptions(self._io, self, self._root)
            self.refinement = FeatcodecFile.SizedRefinement(self._io, self, self._root)
            self.symbols = FeatcodecFile.CodedSymbols(self._io, self, self._root)


        def _fetch_instances(self):
            pass
            self.exceptions._fetch_instances()
            self.refinement._fetch_instances()
            self.symbols._fetch_instances()


    class RunOfReflectors(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.RunOfReflectors, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.num_reflectors = FeatcodecFile.Varint(self._io, self, self._root)
            _ = self.num_reflectors
            if not _.value >= 1:
                raise kaitaistruct.ValidationExprError(self.num_reflectors, self._io, u"/types/run_of_reflectors/seq/0")
            self.reflectors = FeatcodecFile.Integers(self._io, self, self._root)


        def _fetch_instances(self):
            pass
            self.num_reflectors._fetch_instances()
            self.reflectors._fetch_instances()


    class RunsBody(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.RunsBody, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.runs = []
            i = 0
            while not self._io.is_eof():
                self.runs.append(FeatcodecFile.RunOfReflectors(self._io, self, self._root))
                i += 1



        def _fetch_instances(self):
            pass
            for i in range(len(self.runs)):
                pass
                self.runs[i]._fetch_instances()



    class RunsOfReflectors(KaitaiStruct):
        """Section 6.2."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.RunsOfReflectors, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len = FeatcodecFile.Varint(self._io, self, self._root)
            if self.len.value > 0:
                pass
                self._raw_body = self._io.read_bytes(self.len.value)
                _io__raw_body = KaitaiStream(BytesIO(self._raw_body))
                self.body = FeatcodecFile.RunsBody(_io__raw_body, self, self._root)



        def _fetch_instances(self):
            pass
            self.len._fetch_instances()
            if self.len.value > 0:
                pass
                self.body._fetch_instances()



    class Safetensors(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Safetensors, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len_header = self._io.read_u8le()
            if not self.len_header <= 1048576:
                raise kaitaistruct.ValidationGreaterThanError(1048576, self.len_header, self._io, u"/types/safetensors/seq/0")
            self.header = (self._io.read_bytes(self.len_header)).decode(u"UTF-8")
            self.data = self._io.read_bytes_full()


        def _fetch_instances(self):
            pass


    class Scales(KaitaiStruct):
        """Section 6.4."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Scales, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len = FeatcodecFile.Varint(self._io, self, self._root)
            if self.len.value > 0:
                pass
                self._raw_body = self._io.read_bytes(self.len.value)
                _io__raw_body = KaitaiStream(BytesIO(self._raw_body))
                self.body = FeatcodecFile.ScalesBody(_io__raw_body, self, self._root)



        def _fetch_instances(self):
            pass
            self.len._fetch_instances()
            if self.len.value > 0:
                pass
                self.body._fetch_instances()



    class ScalesBody(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.ScalesBody, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.of_channels = FeatcodecFile.Integers(self._io, self, self._root)
            self.of_places = FeatcodecFile.Integers(self._io, self, self._root)
            self.of_channels_and_places = FeatcodecFile.Integers(self._io, self, self._root)


        def _fetch_instances(self):
            pass
            self.of_channels._fetch_instances()
            self.of_places._fetch_instances()
            self.of_channels_and_places._fetch_instances()


    class Section(KaitaiStruct):
        """Section 3."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Section, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.type = KaitaiStream.resolve_enum(FeatcodecFile.SectionType, self._io.read_u4le())
            self.len_payload = self._io.read_u8le()
            if not self.len_payload <= 1099511627776:
                raise kaitaistruct.ValidationGreaterThanError(1099511627776, self.len_payload, self._io, u"/types/section/seq/1")
            _on = self.type
            if _on == FeatcodecFile.SectionType.end:
                pass
                self._raw_payload = self._io.read_bytes(self.len_payload)
                _io__raw_payload = KaitaiStream(BytesIO(self._raw_payload))
                self.payload = FeatcodecFile.End(_io__raw_payload, self, self._root)
            elif _on == FeatcodecFile.SectionType.entr:
                pass
                self._raw_payload = self._io.read_bytes(self.len_payload)
                _io__raw_payload = KaitaiStream(BytesIO(self._raw_payload))
                self.payload = FeatcodecFile.Entr(_io__raw_payload, self, self._root)
            elif _on == FeatcodecFile.SectionType.grup:
                pass
                self._raw_payload = self._io.read_bytes(self.len_payload)
                _io__raw_payload = KaitaiStream(BytesIO(self._raw_payload))
                self.payload = FeatcodecFile.Grup(_io__raw_payload, self, self._root)
            elif _on == FeatcodecFile.SectionType.indx:
                pass
                self._raw_payload = self._io.read_bytes(self.len_payload)
                _io__raw_payload = KaitaiStream(BytesIO(self._raw_payload))
                self.payload = FeatcodecFile.Indx(_io__raw_payload, self, self._root)
            elif _on == FeatcodecFile.SectionType.made:
                pass
                self._raw_payload = self._io.read_bytes(self.len_payload)
                _io__raw_payload = KaitaiStream(BytesIO(self._raw_payload))
                self.payload = FeatcodecFile.Made(_io__raw_payload, self, self._root)
            elif _on == FeatcodecFile.SectionType.netw:
                pass
                self._raw_payload = self._io.read_bytes(self.len_payload)
                _io__raw_payload = KaitaiStream(BytesIO(self._raw_payload))
                self.payload = FeatcodecFile.Netw(_io__raw_payload, self, self._root)
            elif _on == FeatcodecFile.SectionType.prof:
                pass
                self._raw_payload = self._io.read_bytes(self.len_payload)
                _io__raw_payload = KaitaiStream(BytesIO(self._raw_payload))
                self.payload = FeatcodecFile.Prof(_io__raw_payload, self, self._root)
            elif _on == FeatcodecFile.SectionType.rows:
                pass
                self._raw_payload = self._io.read_bytes(self.len_payload)
                _io__raw_payload = KaitaiStream(BytesIO(self._raw_payload))
                self.payload = FeatcodecFile.Rows(_io__raw_payload, self, self._root)
            else:
                pass
                self._raw_payload = self._io.read_bytes(self.len_payload)
                _io__raw_payload = KaitaiStream(BytesIO(self._raw_payload))
                self.payload = FeatcodecFile.Unknown(_io__raw_payload, self, self._root)
            self.crc32 = self._io.read_u4le()


        def _fetch_instances(self):
            pass
            _on = self.type
            if _on == FeatcodecFile.SectionType.end:
                pass
                self.payload._fetch_instances()
            elif _on == FeatcodecFile.SectionType.entr:
                pass
                self.payload._fetch_instances()
            elif _on == FeatcodecFile.SectionType.grup:
                pass
                self.payload._fetch_instances()
            elif _on == FeatcodecFile.SectionType.indx:
                pass
                self.payload._fetch_instances()
            elif _on == FeatcodecFile.SectionType.made:
                pass
                self.payload._fetch_instances()
            elif _on == FeatcodecFile.SectionType.netw:
                pass
                self.payload._fetch_instances()
            elif _on == FeatcodecFile.SectionType.prof:
                pass
                self.payload._fetch_instances()
            elif _on == FeatcodecFile.SectionType.rows:
                pass
                self.payload._fetch_instances()
            else:
                pass
                self.payload._fetch_instances()

        @property
        def is_critical(self):
            """The first letter is not a small one."""
            if hasattr(self, '_m_is_critical'):
                return self._m_is_critical

            self._m_is_critical =  ((int(self.type) & 255 < 97) or (int(self.type) & 255 > 122)) 
            return getattr(self, '_m_is_critical', None)


    class Signature(KaitaiStruct):
        """Section 2."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Signature, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.magic = self._io.read_bytes(8)
            if not self.magic == b"\x89\x46\x43\x5A\x0D\x0A\x1A\x0A":
                raise kaitaistruct.ValidationNotEqualError(b"\x89\x46\x43\x5A\x0D\x0A\x1A\x0A", self.magic, self._io, u"/types/signature/seq/0")
            self.major_version = self._io.read_u1()
            if not self.major_version == 7:
                raise kaitaistruct.ValidationNotEqualError(7, self.major_version, self._io, u"/types/signature/seq/1")
            self.minor_version = self._io.read_u1()
            self.kind = KaitaiStream.resolve_enum(FeatcodecFile.Kind, self._io.read_u2le())
            if not isinstance(self.kind, FeatcodecFile.Kind):
                raise kaitaistruct.ValidationNotInEnumError(self.kind, self._io, u"/types/signature/seq/3")
            self.crc32 = self._io.read_u4le()


        def _fetch_instances(self):
            pass


    class SizedIntegers(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.SizedIntegers, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len = FeatcodecFile.Varint(self._io, self, self._root)
            self.body = self._io.read_bytes(self.len.value)


        def _fetch_instances(self):
            pass
            self.len._fetch_instances()


    class SizedModel(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.SizedModel, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len = FeatcodecFile.Varint(self._io, self, self._root)
            self._raw_model = self._io.read_bytes(self.len.value)
            _io__raw_model = KaitaiStream(BytesIO(self._raw_model))
            self.model = FeatcodecFile.Model(_io__raw_model, self, self._root)


        def _fetch_instances(self):
            pass
            self.len._fetch_instances()
            self.model._fetch_instances()


    class SizedRefinement(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.SizedRefinement, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len = FeatcodecFile.Varint(self._io, self, self._root)
            self._raw_body = self._io.read_bytes(self.len.value)
            _io__raw_body = KaitaiStream(BytesIO(self._raw_body))
            self.body = FeatcodecFile.Refinement(_io__raw_body, self, self._root)


        def _fetch_instances(self):
            pass
            self.len._fetch_instances()
            self.body._fetch_instances()


    class SizedRepeats(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.SizedRepeats, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len = FeatcodecFile.Varint(self._io, self, self._root)
            self._raw_body = self._io.read_bytes(self.len.value)
            _io__raw_body = KaitaiStream(BytesIO(self._raw_body))
            self.body = FeatcodecFile.PackedRepeats(_io__raw_body, self, self._root)


        def _fetch_instances(self):
            pass
            self.len._fetch_instances()
            self.body._fetch_instances()


    class SizedSymbols(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.SizedSymbols, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len = FeatcodecFile.Varint(self._io, self, self._root)
            self._raw_body = self._io.read_bytes(self.len.value)
            _io__raw_body = KaitaiStream(BytesIO(self._raw_body))
            self.body = FeatcodecFile.CodedSymbols(_io__raw_body, self, self._root)


        def _fetch_instances(self):
            pass
            self.len._fetch_instances()
            self.body._fetch_instances()


    class Slices(KaitaiStruct):
        """Section 6.9."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Slices, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.per_sample = self._io.read_u1()
            if not self.per_sample <= 1:
                raise kaitaistruct.ValidationGreaterThanError(1, self.per_sample, self._io, u"/types/slices/seq/0")
            self.num_runs = FeatcodecFile.Varint(self._io, self, self._root)
            _ = self.num_runs
            if not _.value > 0:
                raise kaitaistruct.ValidationExprError(self.num_runs, self._io, u"/types/slices/seq/1")
            self.gains = FeatcodecFile.Integers(self._io, self, self._root)


        def _fetch_instances(self):
            pass
            self.num_runs._fetch_instances()
            self.gains._fetch_instances()


    class Stacks(KaitaiStruct):
        """Section 5.1."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Stacks, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.num_tensors = FeatcodecFile.Varint(self._io, self, self._root)
            _ = self.num_tensors
            if not _.value > 1:
                raise kaitaistruct.ValidationExprError(self.num_tensors, self._io, u"/types/stacks/seq/0")
            self.distance = FeatcodecFile.Varint(self._io, self, self._root)
            _ = self.distance
            if not _.value > 0:
                raise kaitaistruct.ValidationExprError(self.distance, self._io, u"/types/stacks/seq/1")


        def _fetch_instances(self):
            pass
            self.num_tensors._fetch_instances()
            self.distance._fetch_instances()


    class String(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.String, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len = FeatcodecFile.Varint(self._io, self, self._root)
            self.text = (self._io.read_bytes(self.len.value)).decode(u"UTF-8")
            _ = self.text
            if not self.len.value <= 65536:
                raise kaitaistruct.ValidationExprError(self.text, self._io, u"/types/string/seq/1")


        def _fetch_instances(self):
            pass
            self.len._fetch_instances()


    class Svarint(KaitaiStruct):
        """Section 1. Zigzag."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Svarint, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.raw = FeatcodecFile.Varint(self._io, self, self._root)


        def _fetch_instances(self):
            pass
            self.raw._fetch_instances()

        @property
        def value(self):
            if hasattr(self, '_m_value'):
                return self._m_value

            self._m_value = (-((self.raw.value >> 1) + 1) if self.raw.value & 1 == 1 else self.raw.value >> 1)
            return getattr(self, '_m_value', None)


    class Swaps(KaitaiStruct):
        """Section 8.2."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Swaps, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.distance = FeatcodecFile.Varint(self._io, self, self._root)
            _ = self.distance
            if not _.value > 0:
                raise kaitaistruct.ValidationExprError(self.distance, self._io, u"/types/swaps/seq/0")
            self.phase = FeatcodecFile.Varint(self._io, self, self._root)
            self.num_channels = FeatcodecFile.Varint(self._io, self, self._root)
            _ = self.num_channels
            if not  ((_.value > 0) and (_.value <= 65536) and (self.phase.value < self.distance.value * _.value)) :
                raise kaitaistruct.ValidationExprError(self.num_channels, self._io, u"/types/swaps/seq/2")
            self.len_numbers = FeatcodecFile.Varint(self._io, self, self._root)
            self.numbers = self._io.read_bytes(self.len_numbers.value)


        def _fetch_instances(self):
            pass
            self.distance._fetch_instances()
            self.phase._fetch_instances()
            self.num_channels._fetch_instances()
            self.len_numbers._fetch_instances()


    class Table(KaitaiStruct):
        """Section 7.1."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Table, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.magnitude = self._io.read_u1()
            if not self.magnitude <= 127:
                raise kaitaistruct.ValidationGreaterThanError(127, self.magnitude, self._io, u"/types/table/seq/0")
            self.shift = self._io.read_u1()
            if not self.shift <= 24:
                raise kaitaistruct.ValidationGreaterThanError(24, self.shift, self._io, u"/types/table/seq/1")
            self.zero = self._io.read_u1()
            self.positive = self._io.read_u1()
            self.first = self._io.read_u1()
            self.further = self._io.read_u1()
            self.num_hazards = self._io.read_u1()
            _ = self.num_hazards
            if not  ((_ > 0) or (self.magnitude <= 1)) :
                raise kaitaistruct.ValidationExprError(self.num_hazards, self._io, u"/types/table/seq/6")
            self.hazards = []
            for i in range(self.num_hazards):
                self.hazards.append(self._io.read_u1())



        def _fetch_instances(self):
            pass
            for i in range(len(self.hazards)):
                pass



    class Tables(KaitaiStruct):
        """Section 7.3."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Tables, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len = FeatcodecFile.Varint(self._io, self, self._root)
            self._raw_body = self._io.read_bytes(self.len.value)
            _io__raw_body = KaitaiStream(BytesIO(self._raw_body))
            self.body = FeatcodecFile.TablesBody(_io__raw_body, self, self._root)


        def _fetch_instances(self):
            pass
            self.len._fetch_instances()
            self.body._fetch_instances()


    class TablesBody(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.TablesBody, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.tables = []
            i = 0
            while not self._io.is_eof():
                self.tables.append(FeatcodecFile.NumberedTable(self._io, self, self._root))
                i += 1



        def _fetch_instances(self):
            pass
            for i in range(len(self.tables)):
                pass
                self.tables[i]._fetch_instances()



    class Unknown(KaitaiStruct):
        """Of type qual (section 4.4), or one that a later minor version added; invalid when critical
        (section 3).
        """
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Unknown, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.body = self._io.read_bytes_full()
            _ = self.body
            if not (not (self._parent.is_critical)):
                raise kaitaistruct.ValidationExprError(self.body, self._io, u"/types/unknown/seq/0")


        def _fetch_instances(self):
            pass


    class Varint(KaitaiStruct):
        """Section 1. Unsigned LEB128 of at most ten bytes."""
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.Varint, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.groups = []
            i = 0
            while True:
                _ = FeatcodecFile.VarintByte(i, self._io, self, self._root)
                self.groups.append(_)
                if (not (_.more)):
                    break
                i += 1


        def _fetch_instances(self):
            pass
            for i in range(len(self.groups)):
                pass
                self.groups[i]._fetch_instances()


        @property
        def len(self):
            if hasattr(self, '_m_len'):
                return self._m_len

            self._m_len = len(self.groups)
            return getattr(self, '_m_len', None)

        @property
        def value(self):
            if hasattr(self, '_m_value'):
                return self._m_value

            self._m_value = ((((((((self.groups[0].bits + (self.groups[1].bits << 7 if self.len > 1 else 0)) + (self.groups[2].bits << 14 if self.len > 2 else 0)) + (self.groups[3].bits << 21 if self.len > 3 else 0)) + (self.groups[4].bits << 28 if self.len > 4 else 0)) + (self.groups[5].bits << 35 if self.len > 5 else 0)) + (self.groups[6].bits << 42 if self.len > 6 else 0)) + (self.groups[7].bits << 49 if self.len > 7 else 0)) + (self.groups[8].bits << 56 if self.len > 8 else 0)) + (self.groups[9].bits << 63 if self.len > 9 else 0)
            return getattr(self, '_m_value', None)


    class VarintByte(KaitaiStruct):
        def __init__(self, index, _io, _parent=None, _root=None):
            super(FeatcodecFile.VarintByte, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.index = index
            self._read()

        def _read(self):
            self.byte = self._io.read_u1()
            _ = self.byte
            if not  (( ((self.index < 9) or (_ == 1)) ) and ( ((self.index == 0) or (_ != 0)) )) :
                raise kaitaistruct.ValidationExprError(self.byte, self._io, u"/types/varint_byte/seq/0")


        def _fetch_instances(self):
            pass

        @property
        def bits(self):
            if hasattr(self, '_m_bits'):
                return self._m_bits

            self._m_bits = self.byte & 127
            return getattr(self, '_m_bits', None)

        @property
        def more(self):
            if hasattr(self, '_m_more'):
                return self._m_more

            self._m_more = self.byte >= 128
            return getattr(self, '_m_more', None)


    class WideNumberedTable(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.WideNumberedTable, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.number = FeatcodecFile.Varint(self._io, self, self._root)
            _ = self.number
            if not _.value < 2340:
                raise kaitaistruct.ValidationExprError(self.number, self._io, u"/types/wide_numbered_table/seq/0")
            self.table = FeatcodecFile.Table(self._io, self, self._root)


        def _fetch_instances(self):
            pass
            self.number._fetch_instances()
            self.table._fetch_instances()


    class WideTables(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(FeatcodecFile.WideTables, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.tables = []
            i = 0
            while not self._io.is_eof():
                self.tables.append(FeatcodecFile.WideNumberedTable(self._io, self, self._root))
                i += 1



        def _fetch_instances(self):
            pass
            for i in range(len(self.tables)):
                pass
                self.tables[i]._fetch_instances()

KSY_SHA256 = "e82174c5cf74a9c873f0603a43948ee2bd5cd288fb157d6b65b85ea3b1b31d8b"
