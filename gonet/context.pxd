from runtime.asm cimport lock, mutex, unlock
from runtime.chan cimport Hchan
