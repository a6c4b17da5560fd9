import { readFileSync } from 'node:fs';
import { create } from 'fontkit';

// DejaVu Sans has Latin, Greek and Cyrillic, and its licence lets everybody embed it.

/** The font of receipts, as it is embedded. */
export const FONT = readFileSync(require.resolve('dejavu-fonts-ttf/ttf/DejaVuSans.ttf'));

const font = create(FONT);

/** Whether the font has a character: what it has not would be a box. */
export function hasGlyph(character: string): boolean {
  return 'hasGlyphForCodePoint' in font && font.hasGlyphForCodePoint(character.codePointAt(0) ?? 0);
}
