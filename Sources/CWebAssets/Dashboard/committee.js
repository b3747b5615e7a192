// The committee in words: who votes, whose network the page draws, and names short enough to be read at a glance.
//
// The learner tells [{ name, weight }], networks first, and the weights add up to 1. It draws and explains the network
// that weighs most; what it predicts is the vote of all. A network's name ends with what it learns again, and by that
// it is known here.

import { percent, put } from "./format.js";

/** The newest votes, or null where one network answers alone. */
export function votes({ latest, model }) {
    const committee = (latest.layers ?? model)?.committee;
    return committee?.length ? committee : null;
}

export const isNetwork = ({ name }) => /, (no replay|\d+ replayed of .+)$/.test(name);

/** The index of the vote that weighs most, the first among equals; −1 without any. */
export function heaviest(committee, counts = () => true) {
    return committee.reduce((best, vote, index) => (
        counts(vote) && (best < 0 || vote.weight > committee[best].weight) ? index : best), -1);
}

/** The vote of the network that the page draws, or null. */
export function leadingNetwork(committee) {
    return committee?.[heaviest(committee, isNetwork)] ?? null;
}

/** `32 relu, adam(0.005, clip: 4.0), 4 replayed of all` as `32 relu · adam 0.005 · replay of all`. */
export function shortName(name) {
    return name.replace(/\(([^,()]*)[^()]*\)/g, " $1").replace(/\d+ replayed of/, "replay of").replaceAll(", ", " · ");
}

/** Says in a node whose network is shown; hides it where there is only one. */
export function tellWhose(node, app) {
    const leader = leadingNetwork(votes(app));
    node.hidden = !leader;
    if (!leader) return;
    put(node, `Leading network: ${shortName(leader.name)}, ${percent(leader.weight)} of the vote`);
    if (node.title !== leader.name) node.title = leader.name;
}
