// Which line is a header, which column is the label, and how a later connection's columns find their inputs.

import Testing

@testable import Eddy

@Suite struct CSVHeaderTests {
    // MARK: The first connection

    @Test func noCellIsANumber_isAHeader() {
        let decoded = decode("width,height,kind\n1,2,a\n")
        #expect(decoded.schema == Schema(names: ["width", "height"], label: "kind"))
        #expect(decoded.rows == [[1, 2]])
        #expect(decoded.labels == ["a"])
        #expect(decoded.lines == [2])
        #expect(decoded.events.isEmpty)
    }

    @Test(arguments: ["label", "target", "class", "y", "Label", "TARGET"])
    func aCellNamedAsALabelIs_makesNumbersAHeader(name: String) {
        let decoded = decode("1,2,\(name)\n0.5,-3,7\n")
        #expect(decoded.schema == Schema(names: ["1", "2"], label: name))
        #expect(decoded.rows == [[0.5, -3]])
        #expect(decoded.labels == [7])
    }

    @Test func aCellThatIsANumber_isNoHeader() {
        let decoded = decode("5.1,3.5,setosa\n4.9,3,setosa\n")
        #expect(decoded.schema == Schema(inputs: 2))
        #expect(decoded.schema?.inputs == ["x0", "x1"])
        #expect(decoded.rows == [[5.1, 3.5], [4.9, 3]])
    }

    /// Where the columns are not counted off, y is rather the class of a sample.
    @Test func measurementsAndY_areASampleOfClassY() {
        #expect(decode("5.1,3.5,y\n").labels == ["y"])
        #expect(decode("0,1,y\n4,5,6\n").schema == Schema(names: ["0", "1"], label: "y"))
    }

    @Test(arguments: [
        ("label,a,b\nx,1,2\n", "label"), ("a,class,b\n1,x,2\n", "class"), ("a,b,target\n1,2,x\n", "target"),
        ("a,y,b\n1,x,2\n", "y"), ("y,a,b,label\n9,1,2,x\n", "label"), ("a,b,kind\n1,2,x\n", "kind"),
    ])
    func theLabel_isTheColumnOfThatNameElseTheLast(text: String, name: String) {
        let decoded = decode(text)
        #expect(decoded.schema?.label == name)
        #expect(decoded.labels == ["x"])
        #expect(decoded.rows.first?.suffix(2) == [1, 2])
    }

    @Test func theLabel_isWhereItIsSaidToBe() {
        let text = "kind,a,b\nx,1,2\n"
        for label in [LabelColumn.name("kind"), .position(1), .position(-3)] {
            let decoded = decode(text, label: label)
            #expect(decoded.schema == Schema(names: ["a", "b"], label: "kind"))
            #expect(decoded.labels == ["x"])
            #expect(decoded.rows == [[1, 2]])
        }
        #expect(decode("1,x,2\n", label: .position(2)).rows == [[1, 2]])
        #expect(decode("1,x,2\n", label: .position(-2)).labels == ["x"])
        #expect(decode("1,2,x\n", label: .position(-1)).labels == ["x"])
        // A column called label is then a feature as any other.
        #expect(decode("kind,label\nx,1\n", label: .name("kind")).schema?.inputs == ["label"])
    }

    @Test(arguments: [0, 4, -4])
    func aLabelBeyondTheColumns_isAnErrorAndFixesNothing(position: Int) {
        let decoded = decode("1,2,x\n", label: .position(position))
        #expect(decoded.errors.map(\.line) == [1])
        #expect(decoded.schema == nil)
    }

    /// Without a header nobody knows which column that is; the last would be a guess against what was said.
    @Test func aNamedLabelWithoutAHeader_isAnError() {
        let decoded = decode("1,2,x\n3,4,y2\n", label: .name("kind"))
        #expect(decoded.errors.map(\.line) == [1, 2])
        #expect(decoded.schema == nil)
        let other = decode("a,b,c\n1,2,x\n", label: .name("kind"))
        #expect(other.errors.map(\.line) == [1, 2])
        #expect(other.schema == nil)
    }

    @Test func namesThatRepeat_areAnErrorAndFixNothing() {
        let decoded = decode("a,a,b\n1,2,x\n")
        #expect(decoded.errors.first?.column == 2)
        #expect(decoded.schema == Schema(inputs: 2))
    }

    @Test func cellsWithoutAName_areNamedByTheirPlace() {
        let decoded = decode(",a,label\n0,1,x\n,a,label\n1,2,x\n")
        #expect(decoded.schema?.inputs == ["column1", "a"])
        #expect(decoded.events.isEmpty, "the header is known again")
        #expect(decoded.lines == [2, 4])
    }

    @Test func quotedNamesAndBlanksAroundNames_areNames() {
        let decoded = decode("\"a, b\", c ,\"the \"\"label\"\"\"\n1,2,x\n")
        #expect(decoded.schema == Schema(names: ["a, b", "c"], label: "the \"label\""))
    }

    // MARK: What fixes nothing

    @Test func theFirstSample_fixesTheSchema_notTheHeader() {
        #expect(decode("a,b,label\n").schema == nil)
        #expect(decode("a,b,label\n1,inf,x\n").schema == nil)
        #expect(decode("a,b,label\n1,inf,x\n1,2,x\n").schema == Schema(names: ["a", "b"], label: "label"))
    }

    @Test func badLinesBeforeTheFirstSample_fixNothing() {
        let bad = ["hello", "inf,1,x,7", "{\"a\":", "[1,", " ,,x", "?,?,?", "NA,NA,NA", "a\tb", "\"", ",,", "foo,bar"]
        let decoded = decode(bad.joined(separator: "\n") + "\na,b,label\n1,2,x\n")
        #expect(decoded.schema == Schema(names: ["a", "b"], label: "label"))
        #expect(decoded.rows == [[1, 2]])
        #expect(decoded.lines == [bad.count + 2])
    }

    /// Ten lines of words, each of another number of fields, before the header: more than are remembered. Below it, words
    /// in as many fields would be a sample.
    @Test func strayWords_neverTakeTheHeadersPlace() {
        let words = (2...12).map { count in (0..<count).map { "w\($0)" }.joined(separator: ",") }
        let decoded = decode((words + ["a,b,label"] + words.dropFirst(2) + ["3,4", "1,2,x"]).joined(separator: "\n"))
        #expect(decoded.schema == Schema(names: ["a", "b"], label: "label"))
        #expect(decoded.lines == [22, 23], "3,4 leaves the label out")
        #expect(decoded.labels == [.none, "x"])
    }

    @Test func belowAHeader_aSampleOfClassTarget_isASample() {
        let decoded = decode("a,b,label\n1.5,2,target\n1,2,y\n3,4,class\n")
        #expect(decoded.labels == ["target", "y", "class"])
    }

    @Test func fieldsOtherThanTheHeaders_areAnErrorEvenInTheFirstSample() {
        let decoded = decode("a,b,label\n1,2,3,x\n1,x\n1,2,x\n")
        #expect(decoded.errors.map(\.line) == [2, 3])
        #expect(decoded.rows == [[1, 2]])
    }

    // MARK: Unlabelled lines

    @Test func anEmptyLabelOrNone_isAnUnlabelledSample() {
        let decoded = decode("a,b,label\n1,2,\n3,4\n5,6,x\n7,8,\"\"\n")
        #expect(decoded.labels == [.none, .none, "x", .none])
        #expect(decoded.rows == [[1, 2], [3, 4], [5, 6], [7, 8]])
    }

    @Test func aLabelInside_canBeLeftOutToo() {
        let decoded = decode("a,label,b\n3,4\n1,x,2\n5,6\n7,,8\n")
        #expect(decoded.labels == [.none, "x", .none, .none])
        #expect(decoded.rows == [[3, 4], [1, 2], [5, 6], [7, 8]])
        #expect(decoded.events.isEmpty)
    }

    // MARK: Headers that come again, and later connections

    @Test func theHeaderAgain_inAConcatenatedFile_isPassedOver() {
        let decoded = decode("a,b,label\n1,2,x\na,b,label\n3,4,z\n\"a\", b ,label\n5,6,x\n")
        #expect(decoded.events.isEmpty)
        #expect(decoded.lines == [2, 4, 6])
    }

    @Test func aLaterConnection_isMappedByName() {
        let claim = SchemaClaim()
        _ = decode("a,b,label\n1,2,x\n", claim: claim)
        let decoded = decode(
            "when,label,b,comment,a\n12:30,x,2,\"hi, there\",1\n2024-01-01 12:30,z,4,,3\n", claim: claim)
        #expect(decoded.rows == [[1, 2], [3, 4]])
        #expect(decoded.labels == ["x", "z"])
        #expect(decoded.events.isEmpty)
        #expect(decoded.schema == Schema(names: ["a", "b"], label: "label"))
    }

    @Test func aLaterConnectionWithoutAHeader_isMappedByPosition() {
        let claim = SchemaClaim(Schema(names: ["a", "b"], label: "kind"))
        #expect(decode("1,2,x\n", claim: claim).rows == [[1, 2]])
        #expect(decode("1,2\n", claim: claim).labels == [.none])
        #expect(decode("1,2,3,x\n", claim: claim).errors.map(\.line) == [1])
    }

    @Test func aHeaderAfterUnnamedInputs_isMappedByPosition() {
        let claim = SchemaClaim(Schema(inputs: 2))
        let decoded = decode("label,b,a\nx,1,2\n", claim: claim)
        #expect(decoded.rows == [[1, 2]])
        #expect(decoded.labels == ["x"])
        let wide = decode("label,a,b,c\nx,1,2,3\n", claim: claim)
        #expect(wide.errors.map(\.line) == [2])
        #expect(wide.rows.isEmpty)
    }

    /// What stands below it must not be learned as something else.
    @Test func aLaterHeaderThatLacksAnInput_takesNothingBelowIt_untilAnotherFits() {
        let claim = SchemaClaim(Schema(names: ["a", "b"], label: "label"))
        let decoded = decode("a,c,label\n1,2,x\n3,4,x\n", claim: claim)
        #expect(decoded.rows.isEmpty)
        #expect(decoded.errors.map(\.line) == [1, 2, 3])
        #expect(decoded.errors.allSatisfy { $0.expected.contains("named b") })
        let mended = decode("a,c,label\n1,2,x\nb,a,label\n3,4,x\n", claim: claim)
        #expect(mended.errors.map(\.line) == [1, 2])
        #expect(mended.rows == [[4, 3]])
    }

    @Test func aLaterHeadersLabel_isTheGivenOne_theSchemas_orTheUsualOne() {
        let named = SchemaClaim(Schema(names: ["a", "b"], label: "kind"))
        #expect(decode("a,b,kind\n1,2,x\n", claim: named).labels == ["x"])
        #expect(decode("a,b,target\n1,2,x\n", claim: named).labels == ["x"])
        #expect(decode("a,b,remark\n1,2,x\n", claim: named).labels == [.none])
        #expect(decode("a,b,remark\n1,2,x\n", label: .name("remark"), claim: named).labels == ["x"])
        #expect(decode("remark,a,b\nx,1,2\n", label: .position(1), claim: named).labels == ["x"])
        // Claimed by a JSON line without a label: nobody has said yet what it is called.
        let unlabelled = SchemaClaim(Schema(names: ["a", "b"]))
        #expect(decode("a,b,species\n1,2,x\n", claim: unlabelled).labels == ["x"])
        #expect(decode("a,b\n1,2\n", claim: unlabelled).labels == [.none])
    }

    @Test func namesThatAreTheSameToUnicode_areOneName() {
        let decoded = decode("{\"\u{E9}\": 1, \"e\u{301}\": 2, \"label\": \"x\"}\n")
        #expect(decoded.errors.map(\.line) == [1])
        #expect(decode("\u{E9},b,label\n", claim: SchemaClaim(Schema(names: ["b", "b"]))).rows.isEmpty)
    }

    /// Two connections whose first samples come at the same time: one wins, the other is read by its schema.
    @Test func theConnectionThatComesSecond_isReadByTheFirstsSchema() throws {
        let claim = SchemaClaim()
        var chunk = SampleChunk(inputs: 0)  // begun before any schema was accepted
        var draft = SchemaDraft(claim)
        claim.accept(SchemaProposal(Schema(names: ["b", "a"], label: "label")))
        try line(#"{"a": 1, "b": 2, "label": "x"}"#) { bytes throws(SampleError) in
            var reader = JSONLinesReader(label: .automatic)
            _ = try reader.read(bytes, line: 1, into: &chunk, claim: &draft)
        }
        #expect(chunk.inputs == 2 && chunk.features == [2, 1])

        chunk = SampleChunk(inputs: 0)
        try line("5,6,x") { bytes throws(SampleError) in
            var reader = CSVReader(label: .automatic)
            _ = try reader.read(bytes, line: 1, into: &chunk, claim: &draft)
        }
        #expect(chunk.inputs == 2 && chunk.features == [5, 6])
    }

    private func line(
        _ text: String, _ body: (UnsafeBufferPointer<UInt8>) throws(SampleError) -> Void
    ) throws(SampleError) {
        try Array(text.utf8).withUnsafeBufferPointer { bytes throws(SampleError) in try body(bytes) }
    }
}
