// The published vectors of FNV-1a (Fowler, Noll, Vo and Eastlake, draft-eastlake-fnv).

import Backprop
import Testing

@Suite struct FNV1aTests {
    @Test func publishedVectors_hold() {
        #expect(FNV1a.hash("".utf8) == 0xCBF2_9CE4_8422_2325)
        #expect(FNV1a.hash("a".utf8) == 0xAF63_DC4C_8601_EC8C)
        #expect(FNV1a.hash("foobar".utf8) == 0x8594_4171_F739_67E8)
    }

    @Test func number_isHashedByItsBytes() {
        var hash = FNV1a()
        hash.add(Float(1))  // 0x3F80_0000
        #expect(hash.value == FNV1a.hash([0, 0, 0x80, 0x3F]))
    }
}
