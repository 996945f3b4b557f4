// The files that were opened, what was read from them, and which page is shown.

/** A page that was read. */
export class Page {
  /**
   * @param {Object} data The page as the API describes it; corrections change it.
   * @param {string} picture Address of its picture; empty if there is none.
   * @param {?Page} whole The whole page, if only a region of it was read.
   */
  constructor(data, picture, whole = null) {
    const lines = data.paragraphs.flatMap((paragraph) => paragraph.lines);
    Object.assign(this, { data, picture, whole, lines: lines.sort((one, other) => one.order - other.order) });
    this.quarters = data.angle / 90; // clockwise, for showing it upright
    this.read = new Map(); // line -> what it was before it was corrected
  }

  /** Change what a line says. Its words are where they were read, so they go. */
  correct(line, text) {
    if (text === line.text) return;
    if (!this.read.has(line)) this.read.set(line, { ...line });
    Object.assign(line, { text, confidence: 1, words: [] });
    if (text === this.read.get(line).text) this.restore(line);
  }

  /** Undo the corrections of a line. */
  restore(line) {
    Object.assign(line, this.read.get(line));
    this.read.delete(line);
  }

  /** Correct lines as they were corrected in a region of the page; return how many are not there in the same place. */
  adopt(part) {
    const corrected = [...part.read.keys()];
    const lost = corrected.filter((line) => {
      const same = this.lines.find(({ box }) => isSamePlace(box, line.box));
      if (same) this.correct(same, line.text);
      return !same;
    });
    return lost.length;
  }
}

/** A file that was opened. */
export class OpenFile {
  /** @param {File} file The file. */
  constructor(file) {
    this.file = file;
    this.name = file.name; // the file itself may be converted
    this.isShown = false; // by the browser
    this.reset();
  }

  /** Forget what was read. */
  reset() {
    for (const { picture } of this.pages ?? []) URL.revokeObjectURL(picture); // of a region, it is the whole page's
    Object.assign(this, { state: "waiting", sent: 0, pages: [], fault: null, origin: null, times: {}, seconds: 0 });
    this.stopping = new AbortController();
  }

  /** Whether reading it again would lose corrections. */
  get isCorrected() {
    return this.pages.some(({ read, whole }) => read.size || whole?.read.size);
  }

  /** Its document, as the API takes it back; lines that were emptied are left out. */
  document(pages = this.pages) {
    const paragraphs = (page) =>
      page.data.paragraphs
        .map((paragraph) => ({ ...paragraph, lines: paragraph.lines.filter((line) => line.text) }))
        .filter((paragraph) => paragraph.lines.length);
    const shown = pages.map((page) => ({ ...page.data, paragraphs: paragraphs(page) }));
    return { name: this.name, origin: this.origin, times: this.times, pages: shown };
  }
}

/**
 * All of it. Events say what has changed: `files` the list, `file` the state of one, `pages` one has a page more,
 * `shown` another page is shown, `text` a line was corrected, `lost` corrections of a region fit no line of its page.
 */
class Library extends EventTarget {
  files = [];
  file = null;
  index = 0;

  /** The page that is shown, or null. */
  get page() {
    return this.file?.pages[this.index] ?? null;
  }

  get isReading() {
    return this.files.some((file) => file.state === "waiting" || file.state === "reading");
  }

  /** Add files; the first of them is shown if none was. */
  add(files) {
    this.files.push(...files);
    this.say("files");
    if (!this.file) this.show(files[0], 0);
  }

  /** Close files, and stop reading them. */
  remove(files) {
    for (const file of files) {
      file.stopping.abort();
      file.reset();
    }
    this.files = this.files.filter((file) => !files.includes(file));
    this.say("files");
    if (!this.files.includes(this.file)) this.show(this.files[0] ?? null, 0);
  }

  /** Show a page of a file. */
  show(file, index) {
    this.file = file;
    this.index = Math.max(0, Math.min(index, (file?.pages.length ?? 1) - 1));
    this.say("shown");
  }

  /** Add a page to a file. */
  append(file, page) {
    file.pages.push(page);
    this.say("pages", file);
    if (file === this.file && file.pages.length === 1) this.say("shown");
  }

  /** Show another page in place of the shown one: a region of it, or the whole again, to which corrections go. */
  replace(page) {
    const lost = this.page.whole?.adopt(this.page);
    if (lost) this.say("lost", lost);
    this.file.pages[this.index] = page;
    this.say("shown");
  }

  /** Tell those who listen. */
  say(event, detail = null) {
    this.dispatchEvent(new CustomEvent(event, { detail }));
  }

  /** Call a function at each of some events, with what they are about. */
  on(events, run) {
    for (const event of events.split(" ")) this.addEventListener(event, ({ detail }) => run(detail));
  }
}

/** What is open in this browser window. */
export const library = new Library();

/** Return whether two boxes differ by no more than reading a region alone changes: half the height of a line. */
function isSamePlace(one, other) {
  const apart = (from, to) => Math.hypot(from[0] - to[0], from[1] - to[1]);
  return one.every((corner, at) => apart(corner, other[at]) < apart(one[0], one[3]) / 2);
}
