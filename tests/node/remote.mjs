// A program that a test drives: a command per line on standard input, {"do": "say", …}, and an answer per line on standard
// output, {"done": …} or {"failed": …}. tests/python/remote.py is the other side.

import { createInterface } from "node:readline";

/** Ends a step that would wait for ever; nothing is timed by it. */
export const DEADLINE_MS = Number(process.env.TEST_DEADLINE_SECONDS ?? 60) * 1000;

/** Does what is asked, one thing at a time, until the input ends. */
export async function obey(commands, explain = async () => "") {
  for await (const line of createInterface({ input: process.stdin })) {
    const { do: name, ...given } = JSON.parse(line);
    let answer;
    try {
      answer = { done: (await commands[name](given)) ?? null };
    } catch (error) {
      answer = { failed: `${name}: ${error.stack ?? error}\n${await explain()}` };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

/** A list that somebody may wait on. */
export class Seen {
  #all = [];
  #waiting = new Set();

  add(one) {
    this.#all.push(one);
    for (const look of this.#waiting) look();
  }

  get all() {
    return this.#all;
  }

  /** The first that fits, which is there or comes, from this place on. */
  first(fits, from = 0) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = this.#all.slice(from).find(fits);
        if (found === undefined) return;
        this.#waiting.delete(look);
        clearTimeout(patience);
        resolve(found);
      };
      const patience = setTimeout(() => {
        this.#waiting.delete(look);
        reject(new Error(`waited in vain; there is ${JSON.stringify(this.#all.slice(-20), undefined, 1)}`));
      }, DEADLINE_MS);
      this.#waiting.add(look);
      look();
    });
  }
}
