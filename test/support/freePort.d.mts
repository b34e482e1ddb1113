export const freePort: (host?: string, tries?: number) => Promise<number>
