# SPDX-License-Identifier: GPL-2.0
"""How kunit.py boots an s390x kernel for the vmemmap suites.

As on arm64, mem= limits the kernel, and the memory above is the device memory of the tests.
QEMU has no large pages there, so everything is mapped by base pages. KASLR would only make
addresses differ from boot to boot.
"""

from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(linux_arch='s390',
                           kconfig='''
CONFIG_SCLP_VT220_TTY=y
CONFIG_SCLP_VT220_CONSOLE=y''',
                           qemu_arch='s390x',
                           kernel_path='arch/s390/boot/bzImage',
                           kernel_command_line='console=ttyS0 nokaslr mem=480M '
                                               'vmemmap_kunit.memory=4096M@0x1e000000 '
                                               'memory_hotplug.memmap_on_memory=force',
                           extra_qemu_params=['-machine', 's390-ccw-virtio', '-m', '4576',
                                              '-cpu', 'max'])
