# SPDX-License-Identifier: GPL-2.0
"""How kunit.py boots a powerpc kernel with 64K pages for the vmemmap suites.

As with arm64, the kernel is told of the first 480 MiB alone. The device memory of the
tests begins at 2 GiB: the radix MMU maps the memmap of what is below by one PMD, which
boot memory needs. The machine offers both MMUs; "disable_radix" among the kernel's
arguments chooses the hash MMU.
"""

from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(linux_arch='powerpc',
                           kconfig='''
CONFIG_HVC_CONSOLE=y''',
                           qemu_arch='ppc64',
                           kernel_path='vmlinux',
                           kernel_command_line='console=hvc0 mem=480M '
                                               'vmemmap_kunit.memory=4096M@0x80000000 '
                                               'memory_hotplug.memmap_on_memory=force',
                           extra_qemu_params=['-machine', 'pseries', '-m', '6144',
                                              '-cpu', 'power9'])
