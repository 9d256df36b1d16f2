from runtime.asm cimport lock, mutex, unlock
