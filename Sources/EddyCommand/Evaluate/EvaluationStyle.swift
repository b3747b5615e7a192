// How the page of an evaluation looks: quiet, in the colours of the dashboard, light or dark as the reader's system is.

extension EvaluationPage {
    static let style = """
        :root {
            color-scheme: light dark;
            --page: light-dark(#f4f6f5, #0c1316); --surface: light-dark(#fdfefe, #121b1f);
            --line: light-dark(#dde4e3, #233036); --ink: light-dark(#14232a, #e2eaeb);
            --quiet: light-dark(#56676d, #9badb2); --accent: light-dark(#0f7187, #58c3d8);
            --warn: light-dark(#c2590c, #f0934a);
            --c0: light-dark(#0f7187, #58c3d8); --c1: light-dark(#c2590c, #f0934a); --c2: light-dark(#7a4fb5, #b894ea);
            --c3: light-dark(#3d8033, #84c777); --c4: light-dark(#b03060, #ef8bb0); --c5: light-dark(#6b6b3a, #c9c487);
        }
        * { box-sizing: border-box; margin: 0; }
        body {
            background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto,
            "Helvetica Neue", Arial, sans-serif; font-variant-numeric: tabular-nums; max-width: 1240px; margin: 0 auto;
            padding: 32px 24px 48px;
        }
        h1 { font-size: 26px; font-weight: 600; letter-spacing: -0.015em; line-height: 1.25; overflow-wrap: anywhere; }
        h2 { font-size: 16px; font-weight: 600; }
        header p, .note, footer, figcaption { color: var(--quiet); }
        header { margin-bottom: 20px; }
        .note, footer, figcaption { font-size: 13.5px; }
        .note { max-width: 78ch; }
        main { display: grid; grid-template-columns: minmax(0, 1fr); gap: 16px; }
        section { background: var(--surface); border: 1px solid var(--line); border-radius: 10px;
        padding: 18px 20px 20px; }
        section > * + * { margin-top: 6px; }
        section > .wide, section > div { margin-top: 14px; }
        footer { margin-top: 20px; max-width: 90ch; }
        .wide { overflow-x: auto; }
        table { border-collapse: collapse; font-size: 14px; }
        th, td { padding: 5px 9px 5px 0; text-align: right; white-space: nowrap; vertical-align: baseline; }
        th { font-weight: 400; color: var(--quiet); font-size: 13px; }
        tr > th:first-child { text-align: left; color: var(--ink); font-size: 14px; padding-right: 20px; }
        tr + tr > * { border-top: 1px solid var(--line); }
        td small { display: block; font-size: 11.5px; color: var(--quiet); }
        .reference td, .reference th:first-child { color: var(--quiet); }
        .best { font-weight: 650; color: var(--accent); }
        .words td, .words th { text-align: left; white-space: normal; padding-right: 28px; }
        code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; font-size: 13px; }
        .pair { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 480px), 1fr));
        gap: 20px 28px; }
        .flow { display: flex; flex-wrap: wrap; gap: 20px 44px; align-items: flex-start; }
        figure { min-width: 0; max-width: 100%; }
        figcaption { margin-bottom: 6px; }
        svg { display: block; width: 100%; height: auto; overflow: visible; }
        svg.square { width: 276px; }
        svg text { fill: var(--quiet); font-size: 12px; }
        polyline { fill: none; stroke-width: 1.75; stroke-linejoin: round; stroke-linecap: round; }
        .rule { stroke: var(--line); stroke-width: 1; }
        .ideal { stroke: var(--quiet); stroke-width: 1; stroke-dasharray: 4 4; }
        polyline.base { stroke: var(--quiet); stroke-dasharray: 1.5 4; }
        polyline.c0, polyline.q0 { stroke: var(--c0); } polyline.c1, polyline.q1 { stroke: var(--c1); }
        polyline.c2, polyline.q2 { stroke: var(--c2); } polyline.c3 { stroke: var(--c3); }
        polyline.c4 { stroke: var(--c4); } polyline.c5 { stroke: var(--c5); }
        .bar { fill: color-mix(in srgb, var(--c0) 22%, transparent); }
        .rare { opacity: 0.45; }
        .count { fill: color-mix(in srgb, var(--quiet) 45%, transparent); }
        .dot { fill: var(--c0); stroke: var(--surface); stroke-width: 1.5; }
        i { display: inline-block; width: 14px; height: 3px; border-radius: 2px; margin-right: 8px;
        vertical-align: 0.25em; background: var(--quiet); }
        i.c0, i.q0 { background: var(--c0); } i.c1, i.q1 { background: var(--c1); }
        i.c2, i.q2 { background: var(--c2); }
        i.c3 { background: var(--c3); } i.c4 { background: var(--c4); } i.c5 { background: var(--c5); }
        i.base { background: none; border-top: 3px dotted var(--quiet); height: 0; }
        .legend { display: flex; flex-wrap: wrap; gap: 4px 22px; font-size: 13.5px; margin-top: 10px; }
        .confusions td, .confusions th { padding: 6px 9px; text-align: center; min-width: 46px; border: 0; }
        .confusions tr > th:first-child { font-size: 13px; color: var(--quiet); text-align: right; }
        .confusions td { border: 2px solid var(--surface); border-radius: 6px; }
        .confusions .hit { background: color-mix(in srgb, var(--c0) var(--share), var(--page)); }
        .confusions .miss { background: color-mix(in srgb, var(--warn) var(--share), var(--page)); }
        .confusions .deep { color: light-dark(#ffffff, #0c1316); }
        @media (max-width: 600px) { body { padding: 20px 14px 32px; } section { padding: 14px; } }
        @media print { body { background: none; max-width: none; padding: 0; }
        section { break-inside: avoid; border: 0; padding: 0 0 16px; } }
        """
}
