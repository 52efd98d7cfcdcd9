# SPDX-License-Identifier: GPL-2.0
"""How kunit.py boots an x86_64 kernel for the vmemmap suites.

As on arm64, the kernel gets the first 480 MiB. The memory above, up to 2 GiB, is the
device memory of the tests. mem=480M would not work, because x86 refuses to hot-add
memory above that limit.
"""

from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(linux_arch='x86_64',
                           kconfig='''
CONFIG_SERIAL_8250=y
CONFIG_SERIAL_8250_CONSOLE=y''',
                           qemu_arch='x86_64',
                           kernel_path='arch/x86/boot/bzImage',
                           kernel_command_line='console=ttyS0 memmap=exactmap '
                                               'memmap=640K@0 memmap=479M@1M '
                                               'vmemmap_kunit.memory=1568M@0x1e000000 '
                                               'memory_hotplug.memmap_on_memory=force',
                           extra_qemu_params=['-m', '3072', '-cpu', 'max',
                                              '-bios', 'qboot.rom'])
