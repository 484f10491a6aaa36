const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** `90s`, `15m`, `24h`, `30d`, `2w`, as the configuration's schema lets them through; undefined for anything else. */
export function durationMs(text: string | undefined): number | undefined {
  const [, count, unit] = /^(\d+)([smhdw])$/.exec(text ?? "") ?? [];
  return count === undefined ? undefined : Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
}
