/**
 * The newest epoch that this region knows of: it grows by one with each change of the writer, and
 * stands in the database, and in a parameter of each region.
 *
 * A database with a smaller one is a volume that was demoted: its write would be acknowledged and
 * lost (docs/hazards.md H26). Reads of the parameters go beside the work and are waited for only
 * before a commit, and not for long: a lost region must not stop the other. Who has read none yet
 * waits for them before any work, and writes nothing until one region's is known.
 */
const FRESH_MILLISECONDS = 5_000;
/** After so long who knows no region's parameter yet asks again. */
const RETRY_MILLISECONDS = 1_000;
const LONGEST_WAIT_MILLISECONDS = 500;

/** The writer that answered is of an older epoch than one that is known: it was demoted. */
export class DemotedError extends Error {
  /** @param {number} epoch of the database that answered @param {number} known */
  constructor(epoch, known) {
    super(`the writer is of epoch ${epoch}, the newest known is ${known}`);
    this.name = "DemotedError";
  }
}

/** No region's parameter was read yet: whether the writer is the newest isn't known. */
export class UncomparedError extends Error {
  constructor() {
    super("no region's newest epoch can be read, so the writer's can't be compared");
    this.name = "UncomparedError";
  }
}

/**
 * @param {object} options
 * @param {{name: string, region?: string}[]} options.parameters each region's; those that aren't
 *   configured are left out
 * @param {(name: string, region?: string) => Promise<string>} options.readParameter
 * @param {import("./log.mjs").Logger} options.logger
 * @param {() => number} options.now milliseconds
 */
export function createEpochs({ parameters, readParameter, logger, now }) {
  let known = 0;
  // Where none is configured there is nothing to compare with.
  let isCompared = parameters.length === 0;
  const sources = parameters.map((parameter) => ({ ...parameter, askedAt: -Infinity, reading: undefined }));

  const adopt = (epoch) => {
    known = Math.max(known, epoch);
  };

  async function read({ name, region }) {
    try {
      const text = await readParameter(name, region);
      if (!/^\d{1,15}$/.test(text)) {
        throw Object.assign(new Error("no epoch"), { name: "MalformedEpoch" });
      }
      adopt(Number(text));
      isCompared = true;
    } catch (error) {
      // The last known one stands.
      logger.warn("epoch unreadable", { parameter: name, error: error.name, known });
    }
  }

  const check = (epoch) => {
    if (epoch < known) {
      throw new DemotedError(epoch, known);
    }
  };

  return {
    /** @returns {boolean} whether a region's parameter was read, now or before */
    isCompared: () => isCompared,

    /** @returns {number} 0 when none is known */
    known: () => known,

    /** @param {number} epoch as a database reported it; a larger one counts from now on */
    adopt,

    /**
     * @param {number} epoch of a database
     * @throws {DemotedError} when a newer one is known
     */
    check,

    /**
     * @param {number} epoch of the writer that is about to be written to
     * @throws {DemotedError} when a newer one is known
     * @throws {UncomparedError} when no region's could be read yet
     */
    confirm: (epoch) => {
      if (!isCompared) {
        throw new UncomparedError();
      }
      check(epoch);
    },

    /**
     * Begins to read what is older than 5 s.
     *
     * @returns {Promise<void>} when all is read, and after half a second in any case once a region's
     *   was read: before, when each has answered or its time is over
     */
    refresh: async () => {
      const age = isCompared ? FRESH_MILLISECONDS : RETRY_MILLISECONDS;
      for (const source of sources) {
        if (now() - source.askedAt >= age) {
          source.askedAt = now();
          source.reading = read(source);
        }
      }
      const all = Promise.all(sources.map(({ reading }) => reading));
      let timer;
      const over = new Promise((resolve) => {
        timer = setTimeout(resolve, LONGEST_WAIT_MILLISECONDS);
      });
      await Promise.race([all, over]);
      clearTimeout(timer);
      if (!isCompared) {
        await all;
      }
    },
  };
}
