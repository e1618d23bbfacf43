// What an answer says, in numbers and words. An answer is the JSON of `affuse predict --json`.

// From here on modalities contradict each other enough to be looked at.
export const CONFLICT = 0.5;

// A face of which less is seen is told of.
const LESS = 0.75;
const KNOWN = ["text", "audio", "vision", "neutral", "happy", "sad", "angry", "fear", "disgust",
  "surprise", "conflict"];

// The class of each name's colour; names that most readers know have always the same.
export function coloursOf(names) {
  const each = [...names].map((name, place) => [name, KNOWN.includes(name) ? name : `c${place % 10}`]);
  return new Map(each);
}

export function clock(seconds) {
  const whole = Math.floor(seconds + 1e-6), two = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

export function spanOf(part) {
  const tenths = part.end - part.start < 2 || part.end % 1 > 0.05;
  const end = tenths ? `${clock(part.end)}.${Math.floor((part.end % 1) * 10 + 1e-6)}` : clock(part.end);
  return `${clock(part.start)} to ${end}`;
}

export function signed(value, digits = 2) {
  const shown = Math.abs(value).toFixed(digits);
  return `${value < 0 && Number(shown) !== 0 ? "\u2212" : "+"}${shown}`;
}

export function percent(share) {
  return `${Math.round(100 * share)}%`;
}

// The likeliest class, or null.
export function topEmotion(answer) {
  const ranked = Object.entries(answer.emotion || {}).sort((one, other) => other[1] - one[1]);
  return ranked.length ? ranked[0][0] : null;
}

// Low and high of the value, where the answer knows them.
export function intervalOf(answer) {
  const found = answer.interval;
  return Array.isArray(found) && found.every(Number.isFinite) ? found : null;
}

// Several values at once, such as valence and arousal, as pairs of name and value.
export function valuesOf(answer) {
  return Object.entries(answer.values || {});
}

// The ends of the scale on which several values are drawn.
export function rangeOf(parts) {
  const all = parts.flatMap(valuesOf).map(([, value]) => value);
  return [Math.min(-1, ...all), Math.max(1, ...all)];
}

// The parts of an answer that are there, as pairs of what and how much.
export function factsOf(answer) {
  const facts = [], top = topEmotion(answer), interval = intervalOf(answer);
  if (answer.sentiment !== null) {
    const between = interval ? ` (${signed(interval[0], 1)} to ${signed(interval[1], 1)})` : "";
    facts.push(["sentiment", `${signed(answer.sentiment)}${between}`]);
  }
  for (const [name, value] of valuesOf(answer)) facts.push([name, signed(value)]);
  const open = answer.undecided ? "undecided, " : "";
  if (top) facts.push(["emotion", `${open}${top} ${percent(answer.emotion[top])}`]);
  if (answer.primary) facts.push(["led by", `${answer.primary} ${percent(answer.gate[answer.primary])}`]);
  if (answer.conflict !== null) facts.push(["conflict", percent(answer.conflict)]);
  if (answer.face?.lacks && answer.face_quality < LESS) {
    facts.push(["face", `${answer.face.lacks}, counts ${percent(answer.face_quality)}`]);
  }
  return facts;
}

export function inWords(answer) {
  return factsOf(answer).map((fact) => fact.join(" ")).join(", ") || "nothing seen or heard";
}

// The words whose middle lies in a window.
export function wordsIn(content, part) {
  return content.words.filter((word) => {
    const middle = (word.start + word.end) / 2;
    return part.start <= middle && middle < part.end;
  });
}

// The window that a moment lies in, or the nearest before it; null where there is none.
export function windowAt(content, time) {
  const parts = content.timeline;
  let [low, high] = [0, parts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (parts[middle].start <= time + 1e-6) low = middle + 1;
    else high = middle;
  }
  return parts[Math.max(low - 1, 0)] || null;
}

export function inConflict(content) {
  return content.timeline.filter((part) => part.conflict !== null && part.conflict >= CONFLICT);
}

// What each checkpoint trusted: pairs of its name ("" where there is one) and how to read it.
export function trustsOf(content) {
  const named = content.timeline.find((part) => part.trust);
  if (!named) return [["", (part) => part]];
  const nothing = { gate: {}, primary: null, conflict: null };
  return Object.keys(named.trust).map((name) => [name, (part) => part.trust?.[name] || nothing]);
}

// Where arrow keys lead: windows; in a short clip words too, or tenths where nobody speaks.
export function stopsOf(content) {
  const times = content.timeline.map((part) => part.start);
  if (times.length < 4) times.push(...content.words.map((word) => word.start));
  if (times.length < 4) times.push(...Array.from({ length: 10 }, (_, i) => i * content.duration / 10));
  return [...new Set([0, ...times])].sort((one, other) => one - other);
}

export function nameOf(content) {
  return content.file.split(/[\\/]/).at(-1);
}

// Values lie between minus this and this.
export function reachOf(contents) {
  const ends = contents.flatMap((content) => [content, ...content.timeline]).flatMap(
    (part) => [part.sentiment, ...(intervalOf(part) || [])],
  );
  return Math.max(3, ...ends.filter(Number.isFinite).map(Math.abs));
}
