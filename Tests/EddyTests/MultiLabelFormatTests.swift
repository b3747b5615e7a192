// Samples with several labels, as CSV and JSON have them.

import Testing

@testable import Eddy

private let twoNames: LabelColumn = .several([.name("price"), .name("kind")])

/// Both labels of each sample.
private func labels(_ decoded: Decoded) -> [[Label]] {
    zip(decoded.labels, decoded.furtherLabels).map { [$0] + $1 }
}

@Suite struct MultiLabelFormatTests {
    @Test func labelsAreWrittenAsNamesOrPositions() throws {
        #expect(try LabelColumn(parsing: "price") == .name("price"))
        #expect(try LabelColumn(parsing: "-1") == .position(-1))
        #expect(try LabelColumn(parsing: "price, kind") == twoNames)
        #expect(try LabelColumn(parsing: "2,-1") == .several([.position(2), .position(-1)]))
        for text in ["0", "1,0", "a,a", "a,", ",", (0..<17).map { "a\($0)" }.joined(separator: ",")] {
            #expect(throws: SampleError.self) { try LabelColumn(parsing: text) }
        }
    }

    @Test func csvColumns_areLabelsByName_whereverTheyStand() {
        let decoded = decode(
            "price,a,kind,b\n1.5,1,red,2\n,3,green,4\n2.5,5,,6\n7,8\n9,10,11\n1,1,a,1\n", label: twoNames)
        #expect(decoded.rows == [[1, 2], [3, 4], [5, 6], [7, 8], [1, 1]])
        #expect(labels(decoded) == [[1.5, "red"], [.none, "green"], [2.5], [.none], [1, "a"]])
        #expect(decoded.errors.map(\.line) == [6])
        #expect(decoded.errors[0].expected == "4 fields (or 2 without the labels)")
        #expect(decoded.schema?.labels == ["price", "kind"])
        #expect(decoded.schema?.inputs == ["a", "b"])
    }

    @Test func csvColumns_areLabelsByPosition_andTheLastOfLaterConnections() {
        let claim = SchemaClaim()
        let decoded = decode(
            "1,2,red,1.5\n3,4,green,2\n5,6\n", label: .several([.position(4), .position(-2)]), claim: claim)
        #expect(decoded.rows == [[1, 2], [3, 4], [5, 6]])
        #expect(labels(decoded) == [[1.5, "red"], [2, "green"], [.none]])
        #expect(claim.current?.labels == ["y0", "y1"])
        // Without being told, the labels stand at the end in their order.
        #expect(labels(decode("1,2,1.5,red\n", claim: claim)) == [[1.5, "red"]])
        #expect(decode("1,2,1.5,red\n", label: .position(1), claim: claim).errors.first?.expected == "2 labels")
    }

    @Test func aHeaderOfAnotherConnection_isMappedByName_withItsLabels() {
        let claim = SchemaClaim()
        _ = decode("a,price,b,kind\n1,1.5,2,red\n", label: twoNames, claim: claim)
        let other = decode("kind,b,price,a\nred,2,1.5,1\n", claim: claim)
        #expect(other.rows == [[1, 2]] && labels(other) == [[1.5, "red"]])
        let swapped = decode(
            "a,b,kind,price\n1,2,red,1.5\n", label: .several([.name("kind"), .name("price")]), claim: claim)
        #expect(labels(swapped) == [[1.5, "red"]], "the session's order holds")
        let unlabelled = decode("b,a\n2,1\n", claim: claim)
        #expect(unlabelled.rows == [[1, 2]] && labels(unlabelled) == [[.none]])
        #expect(decode("b,a,price\n2,1,1.5\n", claim: claim).errors.first?.field == "label")
        #expect(decode("b,a,price\n2,1,1.5\n", label: .name("price"), claim: claim).rows.isEmpty)
    }

    @Test func csvErrors_nameTheLabelsColumn_andChangeNothing() {
        let decoded = decode("a,price,kind\n1,1.5,red\n1,1e99,red\n1,2,\u{1}\n2,3,blue\n", label: twoNames)
        #expect(decoded.errors.map(\.field) == ["price", "kind"])
        #expect(labels(decoded) == [[1.5, "red"], [3, "blue"]])
        #expect(decode("a,price\n1,2\n", label: twoNames).errors.first?.expected == "a column named kind, the label")
        let twice = decode("a,b\n1,2\n1,2\n", label: .several([.position(1), .position(-2)]))
        #expect(twice.rows.isEmpty && twice.errors.first?.field == "label")
    }

    @Test func jsonLabels_areNamedOrInOrder_asTheFirstLineHasThem() {
        let named = decode(
            """
            {"a":1,"label":{"price":1.5,"kind":"red"}}
            {"a":2,"label":{"kind":"green"}}
            {"a":3,"label":{"kind":null,"price":2}}
            {"a":4}
            {"a":5,"label":[3,"blue"]}
            {"a":6,"label":null}
            {"a":7,"label":{"size":1}}
            {"a":8,"label":1}
            {"a":9,"label":[1]}
            {"a":10,"price":7,"kind":"x"}

            """)
        #expect(named.schema?.labels == ["price", "kind"] && named.schema?.inputs == ["a"])
        #expect(
            labels(named) == [
                [1.5, "red"], [.none, "green"], [2], [.none], [3, "blue"], [.none], [7, "x"],
            ])
        #expect(named.errors.map(\.line) == [7, 8, 9])
        #expect(named.errors.allSatisfy { $0.expected == "2 labels: price, kind" })

        let ordered = decode("[1,2,[1.5,\"red\"]]\n[3,4,[null,\"green\"]]\n[5,6]\n[7,8,1]\n[7,8,[1,2,3]]\n")
        #expect(labels(ordered) == [[1.5, "red"], [.none, "green"], [.none]])
        #expect(ordered.errors.map(\.line) == [4, 5])
        #expect(ordered.schema?.labels == ["y0", "y1"])
    }

    @Test func jsonLabels_mayStandBesideTheFeatures() {
        let decoded = decode(
            "{\"a\":1,\"price\":1.5,\"kind\":\"red\"}\n{\"kind\":\"x\",\"a\":2}\n{\"a\":3}\n", label: twoNames)
        #expect(labels(decoded) == [[1.5, "red"], [.none, "x"], [.none]])
        #expect(decoded.schema?.inputs == ["a"])
    }

    @Test func theFirstLabelledLineDecides_notTheFirst() {
        let text =
            "{\"a\":1,\"id\":\"x\"}\n{\"a\":2,\"label\":{\"price\":1,\"kind\":\"red\"}}\n{\"id\":\"x\",\"label\":[2,null]}\n"
        let decoded = decode(text)
        #expect(decoded.schema?.labels == ["price", "kind"])
        #expect(labels(decoded) == [[.none], [1, "red"]])
        guard case .lateLabel(let late)? = decoded.events.last?.kind else {
            Issue.record("expected a late label")
            return
        }
        #expect(late.label == 2 && late.furtherLabels == [.none])
        // Once there is one label, several are an error.
        let one = decode("{\"a\":1,\"label\":1}\n{\"a\":1,\"label\":[1,2]}\n{\"a\":1,\"label\":{\"p\":1}}\n")
        #expect(one.errors.map(\.expected) == ["one label", "one label"] && one.schema?.labels == ["label"])
        #expect(decode("{\"a\":1,\"label\":{\"p\":1}}\n").errors.first?.expected == "a label, or at least two of them")
    }

    @Test(arguments: [
        "{\"a\":1,\"label\":[]}", "{\"a\":1,\"label\":{}}", "{\"a\":1,\"label\":[[1],2]}", "{\"a\":1,\"label\":[1,2",
        "{\"a\":1,\"label\":{\"p\":1,\"p\":2}}", "{\"a\":1,\"label\":{\"\":1,\"q\":2}}",
        "{\"a\":1,\"label\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}", "{\"a\":1,\"label\":{\"p\":1e99,\"q\":2}}",
    ])
    func aWrongJSONLabel_fixesNothing(line: String) {
        let decoded = decode(line + "\n{\"b\":1,\"label\":\"x\"}\n")
        #expect(decoded.errors.map(\.line) == [1])
        #expect(decoded.labels == ["x"] && decoded.schema?.inputs == ["b"])
        #expect(decoded.schema?.labels == ["label"])
    }

    @Test func piecesOfAnySize_giveTheSameSamples() {
        let streams: [(String, LabelColumn)] = [
            ("price,a,kind,b\n1.5,1,red,2\n,3,green,4\n7,8\n2,x,y,3\n1,2,3,4\n!label q 1,2\n", twoNames),
            (
                "{\"a\":1}\n{\"a\":2,\"label\":[1,\"x\"]}\n{\"a\":2,\"label\":1}\n{\"a\":3,\"label\":[null,\"y\"]}\n",
                .automatic
            ),
        ]
        for (text, label) in streams {
            let whole = decode(Array(text.utf8), label: label)
            for size in [1, 2, 3, 7, 19] {
                for limit in [1, 2, .max] {
                    #expect(decode(Array(text.utf8), pieces: [size], limit: limit, label: label) == whole)
                }
            }
        }
    }

    @Test func formatsWithOneLabel_sayThatTheyHaveNoMore() {
        for text in ["1 |f a:1\n", "1 3:0.5\n"] {
            let decoded = decode(text, label: twoNames)
            #expect(decoded.rows.isEmpty && decoded.errors.first?.expected == "CSV or JSON lines, for 2 labels")
        }
        let packed = Array("EDDY".utf8) + [1, 0, 1, 0, 1, 0, 0, 0] + Array(repeating: 0, count: 8)
        #expect(decode(packed, label: twoNames).isForeign)
    }

    @Test func aLateLabelOfSeveral_isWrittenAsCells() throws {
        let claim = SchemaClaim()
        let decoded = decode(
            "price,kind,a,id\n1,red,2,\n,,3,s7\n!label s7 2.5,\"a, b\"\n!label s7 1\n", label: twoNames, claim: claim)
        guard case .lateLabel(let late)? = decoded.events.first?.kind else {
            Issue.record("expected a late label")
            return
        }
        #expect(late.label == 2.5 && late.furtherLabels == ["a, b"] && late.id == "s7")
        #expect(decoded.errors.first?.expected == "2 labels with commas between them")
    }
}
