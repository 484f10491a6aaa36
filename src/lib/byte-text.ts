/** `512 B`, `1.5 MiB`, `12 GiB`: a size for people. */
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function byteText(bytes: number): string {
  let size = Math.abs(bytes);
  let unit = 0;
  // Compared as it will be shown: 1,023.96 KiB would read "1024.0 KiB".
  while (Number(size.toFixed(1)) >= 1_024 && unit < UNITS.length - 1) {
    size /= 1_024;
    unit += 1;
  }
  const digits = unit === 0 || size >= 99.95 ? 0 : 1;
  return `${bytes < 0 ? "-" : ""}${size.toFixed(digits)} ${UNITS[unit]}`;
}
