# SPDX-License-Identifier: GPL-2.0
"""How kunit.py boots a riscv64 kernel for the vmemmap suites.

As on arm64, mem= limits the kernel, and the rest of the memory is the device memory of the
tests. QEMU puts the device tree at 0xbfe00000. The kernel keeps that range claimed, so it lies
in the kernel's memory.
"""

from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(linux_arch='riscv',
                           kconfig='''
CONFIG_SERIAL_8250=y
CONFIG_SERIAL_8250_CONSOLE=y
CONFIG_SERIAL_OF_PLATFORM=y''',
                           qemu_arch='riscv64',
                           kernel_path='arch/riscv/boot/Image',
                           kernel_command_line='console=ttyS0 mem=1056M '
                                               'vmemmap_kunit.memory=3040M@0xc2000000 '
                                               'memory_hotplug.memmap_on_memory=force',
                           extra_qemu_params=['-machine', 'virt', '-m', '4096',
                                              '-cpu', 'rv64'])
