/** The texts of a field that has one a line; blank lines are none. */
export const lines = (text) => text.split('\n').map((line) => line.trim()).filter(Boolean);
