/**
 * What `JSON.parse` changes without a word: a number beyond a double's precision, and a name that
 * comes twice in one object, of which the last is kept.
 */

const NUMBER = /-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?/y;

/** A decimal's value as digits without outer zeros and the power of ten that they count in; its sign apart. */
function decimal(text) {
  NUMBER.lastIndex = 0;
  const [, whole, fraction = "", exponent = "0"] = NUMBER.exec(text);
  const digits = (whole + fraction).replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  const power = Number(exponent) - fraction.length + digits.length - significant.length;
  return { significant, power: significant === "" ? 0 : power };
}

/**
 * @param {string} token a JSON number
 * @returns {boolean} whether a double holds exactly this value, as its shortest decimal form
 */
export function isExactNumber(token) {
  const value = Number(token);
  if (!Number.isFinite(value)) {
    return false;
  }
  const sent = decimal(token);
  const kept = decimal(JSON.stringify(value));
  return sent.significant === kept.significant && sent.power === kept.power;
}

/** The index after the string that begins at `start`. */
function endOfString(text, start) {
  let end = start + 1;
  while (text[end] !== '"') {
    end += text[end] === "\\" ? 2 : 1;
  }
  return end + 1;
}

/**
 * @param {string} text JSON that `JSON.parse` has taken
 * @returns {"number" | "name" | undefined} what of it the parsed value doesn't hold as it was sent:
 *   a number, or the first of two members with the same name; undefined: all is kept
 */
export function changedByParsing(text) {
  /** The names of each open object; undefined for an array. */
  const open = [];
  let index = 0;
  let isName = false;
  while (index < text.length) {
    const character = text[index];
    if (character === '"') {
      const end = endOfString(text, index);
      if (isName) {
        const name = JSON.parse(text.slice(index, end));
        if (open.at(-1).has(name)) {
          return "name";
        }
        open.at(-1).add(name);
        isName = false;
      }
      index = end;
    } else if (character === "-" || (character >= "0" && character <= "9")) {
      NUMBER.lastIndex = index;
      const [token] = NUMBER.exec(text);
      if (!isExactNumber(token)) {
        return "number";
      }
      index += token.length;
    } else {
      if (character === "{" || character === "[") {
        open.push(character === "{" ? new Set() : undefined);
      } else if (character === "}" || character === "]") {
        open.pop();
      }
      // After a brace or a comma inside an object the next string is a name; a colon ended the last.
      if (character === "{" || character === "[" || character === ",") {
        isName = open.at(-1) !== undefined;
      }
      index += 1;
    }
  }
  return undefined;
}
