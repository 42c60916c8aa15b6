/** Whether writing can be read on a colour, and a colour on its ground. Each agent's own comes with its facts. */

/** @param {string} colour `#rrggbb` @returns {number[]} */
function parts(colour) {
  return [1, 3, 5].map((from) => Number.parseInt(colour.slice(from, from + 2), 16));
}

/** Whether dark writing is easier to read on a colour than white. @param {string} colour */
export function isLight(colour) {
  const [r, g, b] = parts(colour).map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.36;
}

/** A colour moved towards the writing's own where it would hardly show on its ground. @param {string} colour @param {boolean} dark */
export function shownOn(colour, dark) {
  const [r, g, b] = parts(colour);
  const light = (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
  const share = dark ? Math.max(0, 0.34 - light) : Math.max(0, light - 0.74);
  const mixed = [r, g, b].map((part) => Math.round(part + ((dark ? 255 : 0) - part) * share));
  return `rgb(${mixed.join(", ")})`;
}
