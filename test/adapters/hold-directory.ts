import { DataDirectory } from '../../src/adapters/data-directory.js'

// Opens a data directory, says so, and keeps it until it is killed.
DataDirectory.open(process.argv[2] as string)
console.log(process.pid)
setInterval(() => {}, 1_000)
