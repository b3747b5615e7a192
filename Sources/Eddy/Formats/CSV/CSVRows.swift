// Rows of plain numbers, one after another, straight from the buffer into the chunk: nearly all of a stream.
//
// What is not plain (a quoted cell, a wrong one, a wrong number of fields, a directive, an empty line) ends the run and
// is left to CSVReader's row by row reading, which knows what to say of it. So nothing here makes an error, and the two
// ways agree on what a plain row is worth: a test reads every line by both.

extension CSVReader {
    /// Reads whole lines from `cursor` on while they are plain rows, and moves it behind the last of these.
    ///
    /// - Parameters:
    ///   - limit: samples the chunk may hold.
    ///   - lineLimit: a longer line is no plain row.
    ///   - line: the number of the last line read.
    mutating func readPlainRows(
        _ cursor: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, limit: Int, lineLimit: Int,
        line: inout Int, into chunk: inout DecodedChunk
    ) {
        guard let plan, chunk.samples.inputs == plan.inputs, chunk.samples.weights.isEmpty, plan.labelCount <= 1,
            chunk.samples.furtherLabels.isEmpty,
            let newline = findNewline(cursor, end)
        else { return }
        let length = newline - cursor + 1
        // A separator for each column: a shorter line is none of ours, and no measure of those behind it.
        guard length >= plan.columns.count - 1 else { return }
        // The arrays stand in variables of their own meanwhile: grown by the block, and written without a look at whose
        // they are.
        var features: [Float] = []
        var labels = Labels()
        var lines: [Int] = []
        swap(&features, &chunk.samples.features)
        swap(&labels, &chunk.samples.labels)
        swap(&lines, &chunk.lines)
        let hasOthers = plan.hasOthers || !chunk.samples.terms.isEmpty
        let expected = min(limit - labels.count, (end - cursor) / length * 9 / 8 + 1)
        features.reserveCapacity(features.count + expected * plan.inputs)
        labels.reserveCapacity(labels.count + expected)
        lines.reserveCapacity(lines.count + expected)

        let readable = cursor
        var isPlain = true
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: plan.columns.count + CommaScan.slack) { commas in
            while isPlain, cursor < end, labels.count < limit {
                let most = min(limit - labels.count, 64, 1 + (end - cursor) / length)
                let used = features.count
                features.append(contentsOf: repeatElement(.nan, count: most * plan.inputs))
                var rows = 0
                features.withUnsafeMutableBufferPointer { features in
                    guard var row = features.baseAddress.map({ $0 + used }) else {
                        isPlain = false  // words alone, and no room for them yet
                        return
                    }
                    while rows < most {
                        guard let newline = findNewline(cursor, end), newline - cursor <= lineLimit,
                            let label = readNumbers(cursor, newline, readable, plan, commas.baseAddress!, row)
                                ?? readOddRow(
                                    cursor, newline, readable, plan, commas.baseAddress!, row, labels.count,
                                    &chunk.samples)
                        else {
                            isPlain = false
                            break
                        }
                        if hasOthers { chunk.samples.terms.finish(labels.count) }
                        labels.append(label)
                        line += 1
                        lines.append(line)
                        cursor = newline + 1
                        row += plan.inputs
                        rows += 1
                    }
                }
                features.removeLast((most - rows) * plan.inputs)
            }
        }
        swap(&features, &chunk.samples.features)
        swap(&labels, &chunk.samples.labels)
        swap(&lines, &chunk.lines)
    }

    /// Reads one line into a row (inputs), and returns its label; nil, and anything in the row, where it is not numbers
    /// alone.
    @inline(__always)
    private mutating func readNumbers(
        _ start: UnsafePointer<UInt8>, _ newline: UnsafePointer<UInt8>, _ readable: UnsafePointer<UInt8>,
        _ plan: ColumnPlan, _ commas: UnsafeMutablePointer<UInt32>, _ row: UnsafeMutablePointer<Float>
    ) -> Label? {
        guard !plan.hasOthers, let (isShort, _) = split(start, newline, readable, plan, commas) else { return nil }
        return (isShort ? plan.unlabelledPlaces : plan.places).withUnsafeBufferPointer { places -> Label? in
            var label = Label.none
            var cell = start
            for index in 0..<places.count {
                let end = start + Int(commas[index])
                let place = places[index]
                if place >= 0 {
                    let value = DecimalNumber.cell(cell, end, readable: readable)
                    if value.isNaN { return nil }
                    row[place] = value
                } else {
                    if cell < end, cell.pointee == UInt8(ascii: "\"") { return nil }
                    if place == ColumnPlan.labelPlace {
                        guard let plain = readPlainLabel(cell, end, readable) else { return nil }
                        label = plain
                    }
                }
                cell = end + 1
            }
            return label
        }
    }

    /// Where a line's cells end, and whether it leaves the label out; nil where it has another number of them.
    @inline(__always)
    private func split(
        _ start: UnsafePointer<UInt8>, _ newline: UnsafePointer<UInt8>, _ readable: UnsafePointer<UInt8>,
        _ plan: ColumnPlan, _ commas: UnsafeMutablePointer<UInt32>
    ) -> (isShort: Bool, length: Int)? {
        var length = newline - start
        if length > 0, newline[-1] == UInt8(ascii: "\r") { length &-= 1 }
        guard length > 0, start.pointee != UInt8(ascii: "!") else { return nil }
        let columns = plan.columns.count
        let found = CommaScan.positions(start, count: length, readable: readable, into: commas, limit: columns)
        // One field fewer is a line without its label.
        let isShort = found &+ 2 == columns && plan.hasLabel
        guard isShort || found &+ 1 == columns else { return nil }
        commas[found] = UInt32(truncatingIfNeeded: length)
        return (isShort, length)
    }

    /// The same for a line with missing cells, booleans, days, words or an identifier; nil, and nothing left behind but
    /// in the row, where anything is quoted or wrong.
    @inline(never)
    private mutating func readOddRow(
        _ start: UnsafePointer<UInt8>, _ newline: UnsafePointer<UInt8>, _ readable: UnsafePointer<UInt8>,
        _ plan: ColumnPlan, _ commas: UnsafeMutablePointer<UInt32>, _ row: UnsafeMutablePointer<Float>,
        _ number: Int, _ samples: inout SampleChunk
    ) -> Label? {
        guard let (isShort, length) = split(start, newline, readable, plan, commas),
            plan.hasNumbers || !isHeaderLine(start, length)
        else { return nil }
        let label = (isShort ? plan.unlabelledPlaces : plan.places).withUnsafeBufferPointer { places -> Label? in
            var label = Label.none
            var cell = start
            for index in 0..<places.count {
                let comma = start + Int(commas[index])
                var end = comma
                while cell < end, CellValue.isBlank(cell.pointee) { cell += 1 }
                while end > cell, CellValue.isBlank(end[-1]) { end -= 1 }
                let bytes = UnsafeBufferPointer(start: cell, count: end - cell)
                let place = places[index]
                if place >= 0 {
                    row[place] = DecimalNumber.cell(cell, end, readable: readable)
                    if row[place].isNaN, !readOddNumber(bytes, row + place) { return nil }
                } else {
                    if bytes.first == UInt8(ascii: "\"") { return nil }
                    if place == ColumnPlan.labelPlace {
                        guard let plain = readPlainLabel(cell, end, readable) else { return nil }
                        label = plain
                    } else if place == ColumnPlan.otherPlace {
                        let role = isShort ? plan.unlabelledRoles[index] : plan.roles[index]
                        guard readOther(bytes, role, plan, row, number, &samples) else { return nil }
                    }
                }
                cell = comma + 1
            }
            // Where all are missing, the label too, it is no sample; that is looked at again.
            if case .none = label, plan.inputs == 0 || row[0].isNaN { return nil }
            return label
        }
        if label == nil { takeBack(number, &samples) }
        return label
    }

    @inline(__always)
    private mutating func readPlainLabel(
        _ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ readable: UnsafePointer<UInt8>
    ) -> Label? {
        if start == end { return Label.none }
        if start.pointee <= UInt8(ascii: "9") {
            let value = DecimalNumber.cell(start, end, readable: readable)
            if !value.isNaN { return .number(value) }
        }
        return try? labels.read(UnsafeBufferPointer(start: start, count: end - start))
    }

    /// A cell that is missing or a boolean.
    private func readOddNumber(
        _ cell: UnsafeBufferPointer<UInt8>, _ place: UnsafeMutablePointer<Float>
    ) -> Bool {
        if CellValue.isMissing(cell) { return true }
        guard let value = CellValue.boolean(cell) else { return false }
        place.pointee = value
        return true
    }

    /// A cell that goes elsewhere than into the row, or into several places of it.
    private mutating func readOther(
        _ cell: UnsafeBufferPointer<UInt8>, _ role: ColumnPlan.Role, _ plan: ColumnPlan,
        _ row: UnsafeMutablePointer<Float>, _ number: Int, _ samples: inout SampleChunk
    ) -> Bool {
        do throws(SampleError) {
            if role == .identifier {
                if let identifier = try identifier(cell) { samples.identifiers[number] = identifier }
            } else {
                try readInput(cell, role, plan, row, &samples.terms)
            }
            return true
        } catch {
            return false
        }
    }

    /// What a line that turned out not to be plain has left.
    private func takeBack(_ number: Int, _ samples: inout SampleChunk) {
        samples.terms.takeBack()
        samples.identifiers[number] = nil
    }
}
