// The dashboard's files and the description of the HTTP interface, embedded in the binary by #embed.
//
// SwiftPM's .embedInCode writes each byte as a decimal literal of a Swift array, which takes the compiler minutes;
// #embed takes it a second. A NUL ends each file, so that its length need not be stated: none of them contains one.

#include "CWebAssets.h"

#include <stddef.h>

#pragma clang diagnostic ignored "-Wc23-extensions"

static const WebAsset assets[] = {
    {"index.html", (const unsigned char[]){
#embed "Dashboard/index.html" suffix(, 0)
    }},
    {"openapi.json", (const unsigned char[]){
#embed "openapi.json" suffix(, 0)
    }},
    {"app.js", (const unsigned char[]){
#embed "Dashboard/app.js" suffix(, 0)
    }},
    {"arrangement.js", (const unsigned char[]){
#embed "Dashboard/arrangement.js" suffix(, 0)
    }},
    {"canvas.js", (const unsigned char[]){
#embed "Dashboard/canvas.js" suffix(, 0)
    }},
    {"chart.js", (const unsigned char[]){
#embed "Dashboard/chart.js" suffix(, 0)
    }},
    {"committee.js", (const unsigned char[]){
#embed "Dashboard/committee.js" suffix(, 0)
    }},
    {"confusion.js", (const unsigned char[]){
#embed "Dashboard/confusion.js" suffix(, 0)
    }},
    {"connection.js", (const unsigned char[]){
#embed "Dashboard/connection.js" suffix(, 0)
    }},
    {"contours.js", (const unsigned char[]){
#embed "Dashboard/contours.js" suffix(, 0)
    }},
    {"controls.js", (const unsigned char[]){
#embed "Dashboard/controls.js" suffix(, 0)
    }},
    {"diagram.js", (const unsigned char[]){
#embed "Dashboard/diagram.js" suffix(, 0)
    }},
    {"empty.js", (const unsigned char[]){
#embed "Dashboard/empty.js" suffix(, 0)
    }},
    {"explanation.js", (const unsigned char[]){
#embed "Dashboard/explanation.js" suffix(, 0)
    }},
    {"export.js", (const unsigned char[]){
#embed "Dashboard/export.js" suffix(, 0)
    }},
    {"figures.js", (const unsigned char[]){
#embed "Dashboard/figures.js" suffix(, 0)
    }},
    {"format.js", (const unsigned char[]){
#embed "Dashboard/format.js" suffix(, 0)
    }},
    {"gestures.js", (const unsigned char[]){
#embed "Dashboard/gestures.js" suffix(, 0)
    }},
    {"health.js", (const unsigned char[]){
#embed "Dashboard/health.js" suffix(, 0)
    }},
    {"heatmap.js", (const unsigned char[]){
#embed "Dashboard/heatmap.js" suffix(, 0)
    }},
    {"histogram-strip.js", (const unsigned char[]){
#embed "Dashboard/histogram-strip.js" suffix(, 0)
    }},
    {"history.js", (const unsigned char[]){
#embed "Dashboard/history.js" suffix(, 0)
    }},
    {"inspector.js", (const unsigned char[]){
#embed "Dashboard/inspector.js" suffix(, 0)
    }},
    {"layer-history.js", (const unsigned char[]){
#embed "Dashboard/layer-history.js" suffix(, 0)
    }},
    {"layer-maps.js", (const unsigned char[]){
#embed "Dashboard/layer-maps.js" suffix(, 0)
    }},
    {"layers.js", (const unsigned char[]){
#embed "Dashboard/layers.js" suffix(, 0)
    }},
    {"learner.css", (const unsigned char[]){
#embed "Dashboard/learner.css" suffix(, 0)
    }},
    {"loss.js", (const unsigned char[]){
#embed "Dashboard/loss.js" suffix(, 0)
    }},
    {"marks.js", (const unsigned char[]){
#embed "Dashboard/marks.js" suffix(, 0)
    }},
    {"metrics.js", (const unsigned char[]){
#embed "Dashboard/metrics.js" suffix(, 0)
    }},
    {"model.js", (const unsigned char[]){
#embed "Dashboard/model.js" suffix(, 0)
    }},
    {"network.js", (const unsigned char[]){
#embed "Dashboard/network.js" suffix(, 0)
    }},
    {"node-buttons.js", (const unsigned char[]){
#embed "Dashboard/node-buttons.js" suffix(, 0)
    }},
    {"panel.js", (const unsigned char[]){
#embed "Dashboard/panel.js" suffix(, 0)
    }},
    {"paths.js", (const unsigned char[]){
#embed "Dashboard/paths.js" suffix(, 0)
    }},
    {"poll.js", (const unsigned char[]){
#embed "Dashboard/poll.js" suffix(, 0)
    }},
    {"race.js", (const unsigned char[]){
#embed "Dashboard/race.js" suffix(, 0)
    }},
    {"sample-choice.js", (const unsigned char[]){
#embed "Dashboard/sample-choice.js" suffix(, 0)
    }},
    {"scales.js", (const unsigned char[]){
#embed "Dashboard/scales.js" suffix(, 0)
    }},
    {"shades.js", (const unsigned char[]){
#embed "Dashboard/shades.js" suffix(, 0)
    }},
    {"sheet.js", (const unsigned char[]){
#embed "Dashboard/sheet.js" suffix(, 0)
    }},
    {"space.js", (const unsigned char[]){
#embed "Dashboard/space.js" suffix(, 0)
    }},
    {"state.js", (const unsigned char[]){
#embed "Dashboard/state.js" suffix(, 0)
    }},
    {"status.js", (const unsigned char[]){
#embed "Dashboard/status.js" suffix(, 0)
    }},
    {"style.css", (const unsigned char[]){
#embed "Dashboard/style.css" suffix(, 0)
    }},
    {"surface.js", (const unsigned char[]){
#embed "Dashboard/surface.js" suffix(, 0)
    }},
    {"terms.js", (const unsigned char[]){
#embed "Dashboard/terms.js" suffix(, 0)
    }},
    {"theme.js", (const unsigned char[]){
#embed "Dashboard/theme.js" suffix(, 0)
    }},
    {"traffic.js", (const unsigned char[]){
#embed "Dashboard/traffic.js" suffix(, 0)
    }},
    {NULL, NULL},
};

const WebAsset *web_assets(void) { return assets; }
