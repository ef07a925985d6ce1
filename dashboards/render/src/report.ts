/** What the page says of itself, as `window.report`, to whoever looks at it: every query, every error. */

import type { Dashboard } from './dashboard';

export interface Asked {
  /** The panel, or the variable. */
  readonly who: string;
  readonly expr: string;
  /** How many series, rows or values came back. */
  readonly count: number;
}

/** So long nothing may be under way before all is drawn. */
const QUIET_MS = 700;

class Report {
  readonly asked: Asked[] = [];
  readonly errors: string[] = [];
  readonly drawn = new Set<string>();
  private underWay = 0;
  private lastChange = performance.now();
  private awaited = Infinity;

  /** Everything has been asked, answered and drawn. */
  get isDone(): boolean {
    const isQuiet = this.underWay === 0 && performance.now() - this.lastChange > QUIET_MS;
    return this.errors.length > 0 ? isQuiet : isQuiet && this.drawn.size >= this.awaited;
  }

  /** Errors that nobody caught count, too. */
  listen() {
    window.addEventListener('error', (event) => this.fail(event.error ?? event.message));
    window.addEventListener('unhandledrejection', (event) => this.fail(event.reason));
  }

  /** All panels of a dashboard are to be drawn. */
  expect(dashboard: Dashboard) {
    this.awaited = dashboard.panels.filter((panel) => panel.type !== 'row').length;
    this.changed();
  }

  /** A query of *who* is under way; call the result with what came back. */
  ask(who: string, expr: string): (count: number) => void {
    this.underWay += 1;
    this.changed();
    return (count) => {
      this.underWay -= 1;
      this.asked.push({ who, expr, count });
      this.changed();
    };
  }

  draw(title: string) {
    this.drawn.add(title);
    this.changed();
  }

  fail(error: unknown) {
    this.errors.push(error instanceof Error ? `${error.message}\n${error.stack}` : String(error));
    this.changed();
  }

  private changed() {
    this.lastChange = performance.now();
  }
}

export const report = new Report();

Object.defineProperty(window, 'report', {
  value: () => ({ isDone: report.isDone, asked: report.asked, errors: report.errors, drawn: [...report.drawn] }),
});
