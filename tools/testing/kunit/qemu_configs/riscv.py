# SPDX-License-Identifier: GPL-2.0
"""How kunit.py boots a riscv64 kernel for the vmemmap suites.

As on arm64, mem=480M limits the kernel, and the rest of the memory is the device memory
of the tests. The device tree lies there too, but the kernel no longer needs it then.
"""

from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(linux_arch='riscv',
                           kconfig='''
CONFIG_SERIAL_8250=y
CONFIG_SERIAL_8250_CONSOLE=y
CONFIG_SERIAL_OF_PLATFORM=y''',
                           qemu_arch='riscv64',
                           kernel_path='arch/riscv/boot/Image',
                           kernel_command_line='console=ttyS0 mem=480M '
                                               'vmemmap_kunit.memory=1568M@0x9e000000 '
                                               'memory_hotplug.memmap_on_memory=force',
                           extra_qemu_params=['-machine', 'virt', '-m', '4096',
                                              '-cpu', 'rv64'])
