// What became of samples that waited for their labels.

import Eddy
import Foundation

struct LateReport: Encodable {
    let counts: LateLabelCounts
    let waiting: Int

    /// Nil where none waited.
    init?(_ late: (counts: LateLabelCounts, waiting: Int)) {
        guard late.counts.held > 0 || late.counts.unmatched > 0 else { return nil }
        (counts, waiting) = late
    }

    var words: String {
        let error = counts.firstError.map { String(format: "; mean error of the answers given before %.4f", $0) } ?? ""
        return "\(counts.joined) joined, \(counts.unmatched) unmatched; \(waiting) samples wait, "
            + "\(counts.evicted) evicted\(error)"
    }
}
