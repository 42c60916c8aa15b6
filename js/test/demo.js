/** A small log: four agents, a group that one of them leaves, a word from the program, and a failed run. */
export function demo() {
  const agent = (id, name, seq) => ({ id, name, kind: "agent", description: "", mission: "", colour: "#0072b2", seq, model: null });
  return {
    agents: [agent("a", "Ann", 1), agent("b", "Ben", 2), agent("c", "Cleo", 2), agent("d", "Dan", 2)],
    chats: [{ id: "g", name: "Group", description: "", admin: "a", seq: 3 }],
    memberships: [["g", "a", 4, null], ["g", "b", 4, null], ["g", "c", 4, 11]],
    messages: [
      [5, "m-1", 1000, null, "a", null, "Begin", 5],
      [7, "m-2", 2000, "a", "b", "r-1", "Hello", 5],
      [9, "m-3", 3000, "a", "g", "r-1", "Hello all", 9],
      [13, "m-4", 4000, "b", "g", "r-2", "Good day", 8],
      [15, "m-5", 5000, "a", "c", "r-3", null, 30_000],
    ],
    runs: [
      ["r-1", "a", 6, 1500, 10, 3500, "silent", 100, 0.01, 2],
      ["r-2", "b", 12, 3800, 14, 4200, "failed", 50, null, 1],
      ["r-3", "a", 14.5, 4800, null, null, null, 10, null, 1],
    ],
    events: [[11, "member_left", "c", "c left g", 3600], [16, "paused", null, "paused", 5200]],
  };
}
